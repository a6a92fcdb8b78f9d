"""The arguments on the page: all of them."""

from __future__ import annotations

import html
import json
import re

from tipstaff.console.views.markup import render
from tipstaff.console.views.tree import tree


def text(document: bytes) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", render(tree(document))))


def test_every_value_is_shown_to_its_end() -> None:
    """Numbers as they were written; long texts are folded and whole."""
    long = "x" * 100_000
    document = json.dumps({"a": {"b": [1, "two", None, True, []]}, "long": long}).encode()
    shown = text(document.replace(b"1,", b"1.50,"))
    for part in ("a", "b", "1.50", '"two"', "null", "true", "[]", long, "100000 characters"):
        assert part in shown
    assert "<details>" in render(tree(document))


def test_nothing_hides_in_a_text() -> None:
    """And how much is hidden is counted."""
    shown = text(json.dumps({"a\u200b": "b\u202ec\nd"}, ensure_ascii=False).encode())
    assert "⟨U+200B⟩" in shown
    assert "⟨U+202E⟩" in shown
    assert "1 hidden character" in shown


def test_no_argument_is_markup() -> None:
    """Whatever it is called."""
    attack = "<img src=x onerror=alert(1)>"
    assert "<img" not in render(tree(json.dumps({attack: attack}).encode()))


def test_what_is_no_json_and_what_is_nothing_is_said() -> None:
    """As it came."""
    assert "broken" in text(b"{broken")
    assert text(b"{}").strip() == "none"
    assert text(b"").strip() == "none"
