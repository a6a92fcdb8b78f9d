"""A stranger's text stays where it is written, and shows what it hides."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pdp.api.names import own_form
from pdp.rules.yaml_lines import load
from pep.mcp.admit import TOOL_NAME
from tipstaff.common.visible_text import visible
from tipstaff.survey.starter.quoting import comment, key, strict

HOSTILE = [
    "read\n  wipe: {action: allow}\n#",
    "read: {}\r\ntools",
    "a: b",
    "a #b",
    "#",
    "x\u2028wipe: {}",
    "x\x85wipe: {}",
    "\u2029",
    'say "it"',
    "it's",
    "\\n",
    "{read}",
    "[a]",
    "&a",
    "*a",
    "!!str a",
    "? a",
    "- a",
    "@a",
    "`a`",
    "%a",
    "a\x00b",
    "\x1b[2J",
    "\u202eetirw",
    "\ufeffread",
    "re\u200bad",
    "søk",
    "🙂",
    " ",
    "~",
    "null",
    "No",
    "y",
    "1",
    "1e3",
    "0x1F",
    ".inf",
    "2026-01-01",
    "<<",
    "=",
    "a:",
    "---",
    "...",
]


@pytest.mark.parametrize("name", [name for name in HOSTILE if own_form(name) == name])
def test_a_name_is_one_key_whatever_it_holds(name: str) -> None:
    """And the only one: it neither ends its line nor begins another."""
    text = f"tools:\n  {key(name)}: {{}}\n"
    assert load(text, "s").value == {"tools": {name: {}}}
    assert text.isascii()


@pytest.mark.parametrize("name", [name for name in HOSTILE if own_form(name) != name])
def test_a_name_under_which_no_call_is_judged_has_no_key(name: str) -> None:
    """The proxy refuses it, so that a rule of it would never match."""
    assert key(name) is None


@given(st.text(min_size=1, max_size=60))
def test_every_name_that_has_a_key_is_read_back_from_it(name: str) -> None:
    """By the loader of the rules, and by PyYAML's other one."""
    written = key(name)
    if written is None:
        no_text = any("\ud800" <= one <= "\udfff" for one in name)
        assert len(name) > 30 or no_text or own_form(name) != name
        return
    text = f"{written}: {{}}\n"
    assert load(text, "s").value == {name: {}} == yaml.load(text, yaml.SafeLoader)


@pytest.mark.parametrize("name", ["read_file", "_a", "a-b.c", "A" * 128, "nothing", "on-call"])
def test_a_plain_name_is_a_plain_key(name: str) -> None:
    """Quotes everywhere would be hard to read."""
    assert key(name) == name


@pytest.mark.parametrize("name", ["", "\ud800", "a\udfffb", "x" * 401, "\U0001f642" * 50])
def test_what_no_key_can_say_has_none(name: str) -> None:
    """YAML reads keys of a bounded length, and no half characters."""
    assert key(name) is None


def test_the_grammar_of_names_is_the_one_that_calls_are_held_to() -> None:
    """Else a comment would say that a name is refused which is not."""
    for name in [*HOSTILE, "a", "a" * 128, "a" * 129, "a/b", ".", "-", "a\n"]:
        assert strict(name) == bool(TOOL_NAME.fullmatch(name))


@given(st.text(), st.integers(1, 80), st.integers(0, 8))
def test_a_comment_is_nothing_but_comment_lines(text: str, longest: int, indent: int) -> None:
    """Of at most 100 columns, which print, and which a file can hold."""
    shown = visible(text, longest, folds=True)
    assert len(shown) <= longest
    assert shown.isprintable()
    written = comment(shown, indent)
    written.encode()
    for line in written.splitlines():
        assert line.startswith(" " * indent + "# ")
        assert len(line) <= 100
    assert load(written, "s").value is None
