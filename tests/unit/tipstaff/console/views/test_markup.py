"""No text is read as markup, or as another text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from tipstaff.console.views.markup import page, render, tag


class Reader(HTMLParser):
    """Remembers elements and texts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text())
def test_whatever_a_text_holds_it_makes_no_element(text: str) -> None:
    """Neither as a text nor as the value of an attribute."""
    reader = Reader()
    reader.feed(render(tag("p", text, title=text)))
    assert reader.elements == ["p"]


def test_hidden_characters_are_marked() -> None:
    """So that no text is read in another order than it is."""
    assert render(tag("p", "a\u202eb\x1b")) == "<p>a⟨U+202E⟩b⟨U+001B⟩</p>"


def test_attributes_are_there_or_not() -> None:
    """Names that Python has taken end in an underscore."""
    assert (
        render(tag("input", type="text", required=True, hidden=False, value=None, class_="a b"))
        == '<input type="text" required class="a b">'
    )
    assert render([tag("br"), None, ["<", tag("i", "x")]]) == "<br>&lt;<i>x</i>"


def test_a_page_is_a_document_in_a_language() -> None:
    """With its title, and the style that it has from here."""
    document = page("A & B", tag("main", "x")).decode()
    assert document.startswith('<!doctype html><html lang="en">')
    assert "<title>A &amp; B · Tipstaff</title>" in document
    assert "http" not in document


def test_an_attribute_that_people_hear_hides_nothing() -> None:
    """One that is sent back stays as it is."""
    heard = tag("p", aria_label="a\u202eb").markup
    assert "\u202e" not in heard
    assert 'value="a\u202eb"' in tag("input", value="a\u202eb").markup
