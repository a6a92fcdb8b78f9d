"""Tools that stand for many: what they offer, and what is made of one that does not tell."""

from __future__ import annotations

from typing import Any

import pytest

from tipstaff.survey.classify import dispatch
from tipstaff.survey.classify.classify import classify_all
from tipstaff.survey.classify.lexicon import lexicon
from tipstaff.survey.classify.words import split_name
from tipstaff.survey.model import Category, Classification, Risk

WORDS = lexicon()
ROUTER = {
    "intent": {"type": "string"},
    "command": {"type": "string", "description": "The command to execute against the tool."},
    "parameters": {"type": "object"},
}


def definition(name: str, description: str = "", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"properties": arguments}}


def found(name: str, description: str = "", **arguments: Any) -> Classification:
    return classify_all([definition(name, description, **arguments)])[0]


def offers(tool: dict[str, Any]) -> list[str]:
    return [deed.verb for deed in dispatch.of_choices(tool, split_name(tool["name"]), WORDS)]


def test_an_argument_may_choose_among_deeds() -> None:
    """By its name and its enum."""
    tool = definition("x", action={"enum": ["list", "delete"]}, sort={"enum": ["drop"]})
    assert offers(tool) == ["list", "delete"]


@pytest.mark.parametrize(
    ("description", "of_action"),
    [
        ("", "One of 'list', 'delete'"),
        ("", "Action: list, create or delete"),
        ("", "one of: list | create | delete"),
        ("Manages users.\n- list: all of them\n- delete: one of them", ""),
        ("Manages users. Actions: list, delete", ""),
    ],
)
def test_a_text_may_tell_the_choices_that_a_schema_does_not(
    description: str, of_action: str
) -> None:
    """Beside the argument, or as a list in the description."""
    tool = definition("x", description, action={"type": "string", "description": of_action})
    assert {"list", "delete"} <= set(offers(tool))


def test_a_tool_that_asks_about_a_deed_does_not_offer_it() -> None:
    """To check whether somebody may delete is not to delete."""
    assert offers(definition("check_permission", operation={"enum": ["read", "delete"]})) == []


def test_a_tool_is_at_least_the_worst_that_it_offers() -> None:
    """However harmless its name, its text and its claims make it look."""
    tool = definition("get_users", "Get users, read-only.", action={"enum": ["list", "delete"]})
    claims = {"annotations": {"readOnlyHint": True, "destructiveHint": False}}
    assert classify_all([{**tool, **claims}])[0].category is Category.DESTRUCTIVE


@pytest.mark.parametrize("name", ["compute", "storage", "cosmos", "search", "keyvault"])
@pytest.mark.parametrize(
    "description",
    ["", "Operations - Commands for managing and querying resources.", "Commands for resources."],
)
def test_a_router_that_does_not_tell_is_execute_high_and_unsure(
    name: str, description: str
) -> None:
    """Its name is what it is about, and the name of a command is no code."""
    one = found(name, description, **ROUTER)
    assert (one.category, one.risk) == (Category.EXECUTE, Risk.HIGH)
    assert one.confidence < 0.5


@pytest.mark.parametrize(
    ("description", "category"),
    [
        ("Docs - Search the documentation.", "Read"),
        ("Commands for getting the regions or checking quotas.This tool is a command router.", "Read"),
        ("Tools to read, create, modify resources.", "Write"),
        ("Commands for deploying applications.", "Execute"),
        ("Commands for listing, creating and deleting workbooks.", "Destructive"),
    ],
)  # fmt: skip
def test_a_router_whose_text_tells_is_the_worst_of_that(description: str, category: str) -> None:
    """Also where that is harmless; and its text is never as sure as a schema."""
    one = found("thing", description, **ROUTER)
    assert one.category == category
    assert one.confidence <= 0.8


def test_a_shell_is_no_router() -> None:
    """Its command is code, and its parameters are no other tool's."""
    one = found("bash", "Run commands in a bash shell", **ROUTER)
    assert (one.category, one.risk) == (Category.EXECUTE, Risk.CRITICAL)
    assert dispatch.chooser(definition("x", "Runs it.", command={"type": "string"}), WORDS) == ""


def test_a_router_of_queries_is_critical() -> None:
    """Its text says that it runs what the caller writes."""
    one = found("mysql", "Commands for managing servers, executing SQL queries.", **ROUTER)
    assert (one.category, one.risk) == (Category.EXECUTE, Risk.CRITICAL)


def test_an_edit_of_one_document_offers_no_deletion() -> None:
    """The operations of a JSON Patch are how it is changed."""
    patch = {"items": {"properties": {"op": {"enum": ["add", "remove", "replace"]}}}}
    assert offers(definition("update_dashboard", operations=patch)) == []


def test_one_of_several_operations_is_what_they_are() -> None:
    """`Run one of the following` says nothing by itself."""
    ways = [
        {"properties": {"operation": {"const": name}}} for name in ("get-deploy", "list-deploys")
    ]
    tool = definition(
        "deploy-reader", "Select and run one of the following", choice={"anyOf": ways}
    )
    assert classify_all([tool])[0].category is Category.READ


def test_a_vague_verb_hides_no_deletion() -> None:
    """What it offers beside that is told."""
    text = (
        "Commands for managing workbooks. Includes operations for listing and deleting workbooks."
    )
    assert found("workbooks", text, **ROUTER).category is Category.DESTRUCTIVE


def test_choices_that_nobody_understands_are_not_told() -> None:
    """Names of products are not what is done with them."""
    tool = {**ROUTER, "command": {"enum": ["alpha", "omega"]}}
    assert found("thing", "", **tool).category is Category.EXECUTE


def test_members_that_are_added_and_removed_are_choices() -> None:
    """Only the `op` of a JSON Patch is none."""
    assert offers(definition("x", action={"enum": ["add", "remove"]})) == ["add", "remove"]


def test_the_rationale_quotes_the_argument_that_chooses() -> None:
    """So that one sees where to look."""
    assert 'nothing says which ("command")' in found("thing", "", **ROUTER).rationale


def test_a_text_of_any_length_is_read_in_no_time() -> None:
    """A server may write what it likes."""
    for text in ("one of: " + "ab-" * 100_000, "one of " + "or " * 100_000, "- a" * 100_000):
        found("x", text, action={"type": "string", "description": text}, parameters={})
