"""What is printed: a stranger's text is seen, and never obeyed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from tipstaff.cli import console

HOSTILE = "a\x1b[2J\x9b31m\u202eb\u200bc\x7f\u2028d\ud800"


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(console.out, "_file", stream)
    monkeypatch.setattr(console.err, "_file", stream)
    return stream


@pytest.mark.parametrize(
    "show",
    [
        lambda: console.out.print(HOSTILE, markup=False),
        lambda: console.err.print(Text(HOSTILE)),
        lambda: console.tell("word", HOSTILE, "red"),
        lambda: console.print_diff(f"+{HOSTILE}"),
        lambda: console.fail(HOSTILE),
    ],
    ids=["text", "rich text", "tell", "diff", "error"],
)
def test_whatever_way_a_text_is_printed_a_terminal_obeys_nothing_of_it(
    printed: io.StringIO, show: Any
) -> None:
    """It is shown instead, so that a person sees that something is wrong."""
    show()
    text = printed.getvalue()
    assert text.replace("\n", "").isprintable(), ascii(text)
    assert r"a\u{1b}[2J\u{9b}31m\u{202e}b\u{200b}c\u{7f}" in text


def test_a_cell_of_a_table_is_obeyed_no_more_than_a_line(printed: io.StringIO) -> None:
    """Its width was measured before, so it may be cut."""
    table = Table("x", box=None)
    table.add_row(Text(HOSTILE))
    console.out.print(table)
    text = printed.getvalue()
    assert text.replace("\n", "").isprintable(), ascii(text)


def test_an_error_keeps_its_lines(printed: io.StringIO) -> None:
    """Ours have several."""
    console.fail("one\ntwo [bold]")
    assert printed.getvalue() == "error: one\ntwo [bold]\n"


@given(st.text())
def test_json_holds_the_same_value_and_nothing_that_a_terminal_obeys(text: str) -> None:
    """Also of halves of characters, which no file can hold."""
    written = console.as_json({text: text}, indent=2)
    assert json.loads(written) == {text: text}
    assert written.replace("\n", "").isprintable()
    written.encode()


def test_what_can_be_read_is_not_escaped() -> None:
    """JSON is read by people too."""
    assert console.as_json("Grüße, 世界 🙂") == '"Grüße, 世界 🙂"'
    assert console.as_json(HOSTILE) == r'"a\u001b[2J\u009b31m\u202eb\u200bc\u007f\u2028d\ud800"'


def test_a_message_is_folded_at_blanks_where_the_terminal_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a pipe it is whole; a path is never broken, and lines of its own stay lines."""
    message = "/srv/" + "x" * 60 + ":3: " + "word " * 12 + "end\n    code"
    console.fail(message)
    assert capsys.readouterr().err == f"error: {message}\n"
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(console, "err", console._SafeConsole(stderr=True, soft_wrap=True))
    console.fail(message)
    lines = capsys.readouterr().err.splitlines()
    assert "/srv/" + "x" * 60 + ":3:" in lines[0] + lines[1]
    assert all(len(line) <= 60 for line in lines if "xxx" not in line)
    assert " ".join(" ".join(lines).split()) == " ".join(f"error: {message}".split())


def test_fields_stand_below_their_own_first_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their texts are shown as they are, and obeyed by no terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(console, "out", console._SafeConsole(soft_wrap=True))
    console.print_fields([("reason", "[red]" + "word " * 8 + "\x1b[2J"), ("rule", "")])
    assert capsys.readouterr().out.splitlines() == [
        "  reason    [red]word word word word",
        "            word word word word",
        r"            \u{1b}[2J",
        "  rule      ",
    ]


def test_a_row_of_a_table_is_one_line_through_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal folds it, a program reads lines."""
    table = Table("name", box=None)
    table.add_row("word " * 60)
    console.print_table(table)
    assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(console, "out", console._SafeConsole())
    console.print_table(table)
    assert len(capsys.readouterr().out.splitlines()) > 2
