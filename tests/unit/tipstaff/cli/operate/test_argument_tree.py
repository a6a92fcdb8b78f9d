"""Arguments as the person sees them who answers for the call: whole, and none forges a line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.cli.operate.argument_tree import tree
from tipstaff.common.visible_text import exact, is_hidden


def shown(document: str, width: int | None = None) -> list[str]:
    return [line.plain for line in tree(document, 2, width)]


def test_every_value_stands_behind_its_name() -> None:
    """Numbers as they were written, and what holds others with the others below."""
    document = (
        '{"to": "ana", "amount": 1.00, "big": 123456789012345678901, "tags": ["a", {"b": []}], '
        '"force": true, "none": null, "empty": {}}'
    )
    assert shown(document) == [
        '  to: "ana"',
        "  amount: 1.00",
        "  big: 123456789012345678901",
        "  tags: (2 items)",
        '    1. "a"',
        "    2. ",
        "      b: []",
        "  force: true",
        "  none: null",
        "  empty: {}",
    ]


def test_a_text_of_several_lines_is_lines() -> None:
    """A statement or a letter is read as it was written; every blank at an end is between the quotes."""
    assert shown(json.dumps({"sql": "DELETE\n  FROM t \n"})) == [
        "  sql: (3 lines)",
        '    "DELETE"',
        '    "  FROM t "',
        '    ""',
    ]


@pytest.mark.parametrize("document", ["", "{}"])
def test_no_arguments_are_said_to_be_none(document: str) -> None:
    """An empty place would look like a fault."""
    assert shown(document) == ["  none"]


def test_what_nobody_sees_is_marked_in_names_and_values() -> None:
    """What turns the text around it, controls, and blanks of another kind."""
    assert shown(json.dumps({"a\u202eb": "c\u0000\u00a0\x1b[2J"})) == [
        '  "a⟨U+202E⟩b": "c⟨U+0000⟩⟨U+00A0⟩⟨U+001B⟩[2J"'
    ]


def test_a_name_cannot_look_like_two() -> None:
    """It stands between quotes unless it is a plain word."""
    assert shown('{"a: 1, b": 2, "": 3}') == ['  "a: 1, b": 2', '  "": 3']


def test_a_wide_value_goes_on_behind_a_bar() -> None:
    """Blanks that push a forged line to the next row of the terminal stay behind it, too."""
    lines = shown(json.dumps({"path": "/x" + " " * 60 + "state: granted"}), 40)
    assert lines[0].startswith('  path: "/x')
    assert all(line.startswith("    │ ") for line in lines[1:])
    assert all(len(line) <= 40 for line in lines)
    assert "".join(line.removeprefix("    │ ") for line in lines).endswith('state: granted"')


def test_a_long_text_is_told_with_its_length() -> None:
    """And is there whole."""
    (line,) = shown(json.dumps({"body": "x" * 5000}))
    assert line == f'  body: (5,000 characters) "{"x" * 5000}"'


def test_what_is_no_json_is_shown_as_it_is() -> None:
    """Nothing is hidden for being odd."""
    assert shown("{\u202e") == ["  not readable as JSON: {⟨U+202E⟩"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return value.split("\n") if isinstance(value, str) else []


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.integers(10, 120) | st.none())
def test_no_text_is_left_out_and_none_is_hidden(value: dict[str, Any], width: int | None) -> None:
    """Whatever the arguments are, and however narrow the terminal."""
    lines = shown(json.dumps(value), width)
    assert all(line.isprintable() and not any(map(is_hidden, line)) for line in lines)
    if width is None:
        for text in texts(value):
            assert any(exact(text) in line for line in lines)
