"""A stranger's text shows all that is in it, on one line, and does nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.common.visible_text import exact, is_hidden, visible, visible_lines


def test_visible_text_shows_what_is_there() -> None:
    """What prints stays; a blank is a space; all else is its number."""
    assert visible("é\u200b\U000e0041\x1b\n日") == r"é\u{200b}\u{e0041}\u{1b} 日"
    assert visible("a\u202eb\u0000c\ud800") == r"a\u{202e}b\u{0}c\u{d800}"
    assert visible("a\tb\r\nc\u2028d\x85e\xa0f\u3000g") == "a b  c d e f g"
    assert visible("plain é 日 🙂") == "plain é 日 🙂"


@pytest.mark.parametrize("character", ["\u3164", "\u2800", "\uffa0", "\u115f", "\ufe0f", "\u034f"])
def test_what_python_calls_printable_and_nobody_sees_is_shown_too(character: str) -> None:
    """Fillers, joiners and selectors: a name with one looks like the name without."""
    assert character.isprintable()
    assert is_hidden(character)
    assert visible(f"re{character}ad") == f"re\\u{{{ord(character):x}}}ad"


@pytest.mark.parametrize("text", ["a\rb", "a\x85b", "a\u2028b", "a\nb", "a\tb", "a\u00a0b"])
def test_a_blank_of_any_kind_is_a_space(text: str) -> None:
    """So one text is one line to every reader."""
    assert visible(text) == "a b"


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_text_leaves_its_line_or_hides_anything(text: str) -> None:
    """Neither by a control, nor by a format character, nor by a half of a pair."""
    shown = visible(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert all(line.isprintable() for line in visible_lines(text).split("\n"))
    assert not any(map(is_hidden, shown))
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert visible(shown) == shown


@given(st.text(), st.integers(1, 60), st.booleans())
def test_no_text_is_longer_than_it_may_be(text: str, longest: int, folds: bool) -> None:
    """What fits is whole."""
    shown, whole = visible(text, longest, folds=folds), visible(text, folds=folds)
    assert len(shown) <= longest
    if not folds:
        assert (shown == whole) == (len(whole) <= longest)


def test_what_is_too_long_ends_in_dots_and_in_no_part_of_an_escape() -> None:
    """A part of a number would be another number."""
    assert visible("abc def", 5) == "abc…"
    assert visible("abcde", 5) == "abcde"
    assert visible("\u200b" * 10, 8) == "…"
    assert visible("a\u200b\u200b", 10) == r"a\u{200b}…"
    assert visible("x" * 10**6, 5) == "xxxx…"
    assert visible(" " * 99 + "x", 5, folds=True) == "…"


def test_blanks_are_folded_only_where_that_is_asked_for() -> None:
    """Two names that differ by a blank stay two."""
    assert visible(" a\n\t\u2028 b\x85c ", 99, folds=True) == "a b c"
    assert visible(" a  b ") == " a  b "


def test_lines_stay_lines_and_nothing_else_begins_one() -> None:
    """A carriage return would overwrite what was there, another separator would forge a line."""
    assert visible_lines("a\nb\n") == "a\nb\n"
    assert visible_lines("a\rb\u2028c\x1b[2J\nd\u202e") == "a b c\\u{1b}[2J\nd\\u{202e}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay \u202eevil", "pay ⟨U+202E⟩evil"),
        ("a\nb\tc\u00a0d", "a⟨U+000A⟩b⟨U+0009⟩c⟨U+00A0⟩d"),
        ("\x1b[2J\U000e0041\ud800\u3164", "⟨U+001B⟩[2J⟨U+E0041⟩⟨U+D800⟩⟨U+3164⟩"),
        ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"),
        ("plain é 日 🙂", "plain é 日 🙂"),
    ],
)
def test_an_exact_text_marks_whatever_is_no_ink(text: str, shown: str) -> None:
    """A mark that the text holds itself is seen to be no mark."""
    assert exact(text) == shown


@given(st.text(alphabet=st.characters(codec=None)), st.text(alphabet=st.characters(codec=None)))
def test_two_texts_are_never_shown_alike(text: str, other: str) -> None:
    """And none leaves its line."""
    assert exact(text).isprintable()
    assert not any(map(is_hidden, exact(text)))
    assert (exact(text) == exact(other)) == (text == other)
