"""Which texts are URIs, and which are templates of them."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.mcp.uri import is_template, is_uri

NO_CHARACTERS = (
    [chr(code) for code in (*range(0x21), 0x7F)]
    + list('<>"{}|\\^`')
    + list("éſ\u200b\u00a0\u2028\uff0e")
)


@pytest.mark.parametrize(
    "text",
    [
        "file:///srv/a.txt",
        "FILE:/a",
        "https://user@host:8080/a;b=c/d?x[y]=1&z#f",
        "mail://inbox",
        "urn:isbn:0451450523",
        "a+b-c.1:",
        "file:///My%20File%2f",
        "https://[::1]/",
    ],
)
def test_a_uri_is_one(text: str) -> None:
    """As servers write them."""
    assert is_uri(text)
    assert is_template(text)


@pytest.mark.parametrize("character", NO_CHARACTERS)
def test_what_rfc_3986_does_not_allow_is_allowed_nowhere(character: str) -> None:
    """At the beginning, within, and at the end, where some regular expressions do not look."""
    for text in (f"{character}file:///a", f"file:///a{character}b", f"file:///a{character}"):
        assert not is_uri(text)
        assert not is_template(text)


@pytest.mark.parametrize(
    "text", ["", "a", "/etc/passwd", "//host/a", ":a", "1a:b", "fi le:a", "%66ile:a"]
)
def test_a_uri_has_a_scheme(text: str) -> None:
    """A server that takes a path without one would take it for what no rule can name."""
    assert not is_uri(text)
    assert not is_template(text)


@pytest.mark.parametrize("text", ["a:%", "a:%4", "a:%4g", "a:b%", "a:%%41", "a:%u0041"])
def test_a_percent_sign_begins_two_digits(text: str) -> None:
    """What a bad triplet means depends on who decodes it."""
    assert not is_uri(text)
    assert not is_template(text)


@pytest.mark.parametrize(
    "text", ["file:///{path}", "a://{+b}/{c,d:3}{?e*}", "{scheme}://x", "{+uri}"]
)
def test_a_template_has_expressions(text: str) -> None:
    """In braces; a URI has none."""
    assert is_template(text)
    assert not is_uri(text)


@pytest.mark.parametrize(
    "text", ["a:{", "a:}", "a:{}", "a:{b", "a:{{b}}", "a:{b c}", "a:{b\n}", "{", "{a"]
)
def test_braces_that_are_no_expression_are_none(text: str) -> None:
    """Each is closed, and holds something."""
    assert not is_template(text)


@given(st.text(alphabet=string.printable + "é\u0000", max_size=30))
def test_a_uri_is_a_template_of_itself(text: str) -> None:
    """So that a completion may name either."""
    assert is_template(f"a:{text}") or not is_uri(f"a:{text}")
