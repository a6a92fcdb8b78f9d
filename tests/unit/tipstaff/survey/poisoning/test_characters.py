"""Characters: the hidden ones are found, the honest ones left alone, places survive the folding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.survey.poisoning.characters import (
    EXCERPT,
    excerpt,
    foreign,
    hidden,
    kind_of_hidden,
    plain,
)


@pytest.mark.parametrize(
    "text",
    [
        "line\nbreak\ttab\r\n",
        "⚠️ \u2139️ 1️⃣ ❤️ 👩‍💻 👨‍👩‍👧 🏳️‍🌈 👍🏽",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "می‌خواهم",
        "क्‍ष",
        "שלום\u200e!",
        "葛\U000e0100",
    ],
    ids=ascii,
)
def test_spelling_is_not_hiding(text: str) -> None:
    """Emoji, flags, joiners and marks of direction where they belong."""
    assert list(hidden(text)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\u200bb", "no room"),
        ("a\u200db", "no room"),
        ("a\u200eb", "no room"),
        ("a\u2800b", "no room"),
        ("a\u3164b", "no room"),
        ("\ufeffa", "no room"),
        ("a\u202eb", "another order"),
        ("a\u2066b\u2069", "another order"),
        ("a\U000e0041b", "tag characters"),
        ("a\U000e0100b", "variation selectors"),
        ("⚠\ufe0f\ufe0f\ufe0f", "variation selectors"),
        ("🏴\U000e0068\U000e0069", "tag characters"),
        ("a\x00b", "control characters"),
        ("a\x1bb", "control characters"),
        ("a\ue000b", "private"),
        ("a\ud800b", "none in Unicode"),
    ],
    ids=ascii,
)
def test_what_is_hidden_is_found_and_named(text: str, words: str) -> None:
    """Each by its kind."""
    start, end = next(hidden(text))
    assert words in kind_of_hidden(text[start:end])


def test_the_plain_form_is_what_a_reader_reads() -> None:
    """Case, blanks, emphasis, disguises and marks gone."""
    assert (
        plain("  IGN\u043e\u0433\u0435 \u200b\n **all** `pre\u0301v\u200bious`\u00a0x").text
        == " ignore all previous x"
    )


@given(st.text(st.characters() | st.sampled_from("aA \n*\u200b\u0430\u202e`\ufe0f"), max_size=60))
def test_every_place_in_the_plain_form_leads_back(text: str) -> None:
    """Offsets are told in the text as it came."""
    folded = plain(text)
    origins = [folded.origin(at) for at in range(len(folded.text))]
    assert origins == sorted(set(origins))
    assert all(plain(text[at]).text in {folded.text[to], ""} for to, at in enumerate(origins))


@given(st.text(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_an_excerpt_is_short_and_printable(text: str, start: int, length: int) -> None:
    """It goes to terminals."""
    shown = excerpt(text, start, start + length)
    assert len(shown) <= EXCERPT
    assert shown.isprintable()


def test_rare_latin_letters_are_no_foreign_ones() -> None:
    """A Turkish word is no mixture of scripts."""
    assert "\u0131" not in foreign()
    assert {"\u0430", "\u03bf", "\u0585", "\u13df"} <= foreign()
