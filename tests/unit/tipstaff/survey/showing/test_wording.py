"""Findings put into words."""

from __future__ import annotations

from typing import Any

from tipstaff.survey.asking.listing import listing_of
from tipstaff.survey.model import Sign
from tipstaff.survey.report import Report, SurveyedTool, report, worst_first
from tipstaff.survey.showing.wording import (
    about,
    count,
    first_sentence,
    is_harmless,
    marks,
    warning,
    why,
)

TOOLS = (
    {"name": "list_files", "description": "Lists files."},
    {"name": "delete_file", "description": "Deletes a file."},
    {"name": "update_note", "description": "Updates a note."},
    {"name": "pay_invoice", "description": "Pays an invoice."},
)


def made(*tools: dict[str, Any], **begun: Any) -> Report:
    return report("files", "a\u202eb", listing_of({"initialize": begun, "tools": list(tools)}))


def found(name: str) -> SurveyedTool:
    return next(tool for tool in made(*TOOLS).tools if tool.name == name)


def test_the_worst_risk_comes_first_and_then_the_worst_category() -> None:
    """Money before what is deleted, where both are critical."""
    names = [tool.name for tool in worst_first(made(*TOOLS).tools)]
    assert names == ["pay_invoice", "delete_file", "update_note", "list_files"]


def test_a_sign_is_told_in_a_line_that_it_cannot_break() -> None:
    """What it is, where, why it matters, and the text there."""
    text = warning(
        Sign("hidden_characters", "description, character 4", "a\u202eb\nc", "It holds.")
    )
    assert text.startswith("hidden characters at description, character 4: It holds. “a")
    assert text.isprintable()


def test_tools_that_are_alike_keep_the_order_of_the_server() -> None:
    """So that two lists of the same server can be compared."""
    tools = [
        {"name": f"{one}_files", "description": "Lists files."} for one in ("list", "get", "find")
    ]
    assert [tool.name for tool in worst_first(made(*tools).tools)] == [one["name"] for one in tools]


def test_what_a_server_says_of_itself_can_neither_hide_nor_run_on() -> None:
    """Its name, its version and the protocol are a stranger's."""
    info = {"name": "x\u202e" + "y" * 500, "version": "\x1b[2J"}
    text = about(made(*TOOLS, serverInfo=info, protocolVersion="1\x1b[2J"))
    assert text.startswith("4 tools, ")
    assert r"x\u{202e}yyy" in text
    assert r"\u{1b}[2J" in text
    assert text.endswith(r"at a\u{202e}b")
    assert text.isprintable()
    assert len(text) < 250


def test_a_server_without_a_name_is_told_without_one() -> None:
    """Nothing stands in its place."""
    assert about(made(TOOLS[0], serverInfo={"name": 1, "version": ""})) == (
        r"1 tool, at a\u{202e}b"
    )


def test_what_is_bad_comes_before_what_says_so() -> None:
    """The end is cut where there is no room."""
    assert why(found("delete_file")).startswith("What is deleted is gone. Its name and its descri")
    assert "Destructive:" not in why(found("delete_file"))


def test_only_a_read_of_low_risk_is_told_in_passing() -> None:
    """Everything else has a line of its own."""
    assert [tool.name for tool in made(*TOOLS).tools if is_harmless(tool)] == ["list_files"]


def test_marks_are_words_and_the_harmless_one_comes_last() -> None:
    """That a call may be made twice is no danger."""
    definition = {
        "name": "read_file",
        "description": "Reads a file.",
        "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}},
        "annotations": {"idempotentHint": True, "openWorldHint": True},
    }
    (tool,) = made(definition).tools
    assert marks(tool).split(", ")[-1] == "idempotent"
    assert "open world" in marks(tool)


def test_a_full_stop_in_code_ends_no_sentence() -> None:
    """Rules hold full stops."""
    assert first_sentence("Do so: `a: {b. c}`. Or not. No.") == "Do so: `a: {b. c}`."
    assert first_sentence("Do so. `a. b`") == "Do so."
    assert first_sentence("All of `it. is` one.") == "All of `it. is` one."


def test_one_thing_is_one_thing() -> None:
    """And none are several."""
    assert (count(0, "tool"), count(1, "tool"), count(2, "tool")) == (
        "0 tools",
        "1 tool",
        "2 tools",
    )
