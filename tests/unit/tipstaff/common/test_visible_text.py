"""Foreign text made visible: nothing in it moves a cursor, forges a line, or reads in another order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.common.visible_text import visible, visible_lines


def test_visible_text_shows_what_is_there() -> None:
    """And leaves the rest alone."""
    assert visible("é\u200b\U000e0041\x1b\n日") == r"é\u{200b}\u{e0041}\u{1b} 日"


@pytest.mark.parametrize("text", ["a\rb", "a\x85b", "a\u2028b", "a\nb", "a\tb", "a\u00a0b"])
def test_a_blank_of_any_kind_is_a_space(text: str) -> None:
    """So one text is one line to every reader."""
    assert visible(text) == "a b"


@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_visible_prints_and_is_one_line(text: str) -> None:
    """Whatever it was."""
    shown = visible(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown
    assert all(line.isprintable() for line in visible_lines(text).split("\n"))


def test_lines_stay_lines() -> None:
    """Of a text that may have some."""
    assert visible_lines("a\nb") == "a\nb"
    assert visible_lines("a\x1b[2J\nb\u202ec") == "a\\u{1b}[2J\nb\\u{202e}c"
