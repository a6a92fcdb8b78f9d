"""Texts for a page."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from tipstaff.survey.model import Sign
from tipstaff.survey.showing.markup import plain, prose, sign, strange

HOSTILE = st.text(
    st.sampled_from("<>&\"'`/= abA\u202e\u200b\x00\x1b\n") | st.characters(codec="utf-8")
)


@given(HOSTILE)
def test_no_text_opens_an_element_or_ends_an_attribute(text: str) -> None:
    """Whichever way it comes in; elements of our own apart."""
    for made in (plain(text), strange(text), prose(text)):
        bare = re.sub(r"</?(?:bdi|code)>", "", made)
        assert not set(bare) & set("<>\"'")
        assert bare.isprintable()


@given(HOSTILE)
def test_every_element_that_is_opened_is_closed(text: str) -> None:
    """In a sentence with any number of backticks."""
    made = prose(text)
    assert made.count("<code>") == made.count("</code>")
    assert re.findall(r"</?code>", made) == ["<code>", "</code>"] * made.count("<code>")


def test_a_text_reads_as_it_was_written() -> None:
    """Escaping loses nothing that can be seen."""
    text = """<b>"it's" & more</b>"""
    assert html.unescape(plain(text)) == text


def test_what_stands_between_backticks_is_code() -> None:
    """A last backtick without a partner is a backtick."""
    assert prose("say `a < b` or `c") == "say <code>a &lt; b</code> or `c"


def test_a_sign_is_told_with_its_place_and_text() -> None:
    """All of it a stranger's."""
    made = sign(Sign("hidden_characters", "x<i>", "a\u200b<i>", "It holds `<i>`."))
    assert "hidden characters" in made
    assert "at <bdi>x&lt;i&gt;</bdi>" in made
    assert r"<blockquote><bdi>a\u{200b}&lt;i&gt;</bdi></blockquote>" in made
    assert "<p>It holds <code>&lt;i&gt;</code>.</p>" in made
