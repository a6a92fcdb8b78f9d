"""HTML in which every text is escaped. Pure.

An element is made from texts and elements; a text is always escaped, and everything in it that is not seen
is shown as its number, so that no caller's text is read as markup, as another text, or not at all.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

from tipstaff.common.visible_text import exact

_VOID = frozenset({"br", "hr", "input", "link", "meta"})
_KEPT = frozenset({"action", "content", "href", "value"})
Part: TypeAlias = "Element | str | Iterable[Part] | None"


class Element:
    """An element that has been made by `tag`; its text is markup."""

    __slots__ = ("markup",)

    def __init__(self, markup: str) -> None:
        """Take markup for granted: only `tag` and `page` do."""
        self.markup = markup


def tag(name: str, /, *parts: Part, **attributes: str | bool | None) -> Element:
    """An element. An attribute that is `True` stands alone, one that is `False` or `None` is left out.

    `class_` and the like stand for names that Python has taken, `aria_label` for `aria-label`.
    """
    shown = "".join(
        f" {_name(key)}" if value is True else f' {_name(key)}="{_value(key, str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Element(f"<{name}{shown}>")
    return Element(f"<{name}{shown}>{render(parts)}</{name}>")


def render(part: Part) -> str:
    """The markup of a part."""
    if part is None:
        return ""
    if isinstance(part, Element):
        return part.markup
    if isinstance(part, str):
        return html.escape(exact(part))
    return "".join(map(render, part))


def page(title: str, *parts: Part, head: Part = None) -> bytes:
    """A whole document."""
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{title} · Tipstaff"),
            tag("link", rel="stylesheet", href="/static/console.css"),
            head,
        ),
        tag("body", *parts),
        lang="en",
    )
    return f"<!doctype html>{document.markup}".encode()


def _value(key: str, value: str) -> str:
    """What is sent back or followed stays as it is; what people hear or see is shown like any text."""
    return html.escape(value if key in _KEPT else exact(value))


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
