"""The arguments of a call as a list within lists, whole. Pure."""

from __future__ import annotations

import json
from typing import Any

from tipstaff.console.views.markup import Element, tag

_LONG = 400
"""A text of more characters is folded: it is all there, and opens at a click."""


class _Number(str):
    """A number by its text."""

    __slots__ = ()


def tree(document: bytes) -> Element:
    """The arguments, every value to its end; numbers as they were written."""
    try:
        value = json.loads(document or b"{}", parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        text = document.decode("utf-8", "replace")
        return tag("div", tag("p", "These cannot be read as JSON:"), tag("pre", text))
    return tag("p", "none") if value == {} else _value(value)


def _value(value: Any) -> Element:
    if isinstance(value, dict) and value:
        return tag(
            "ul", (_item(tag("b", name), inner) for name, inner in value.items()), class_="tree"
        )
    if isinstance(value, list) and value:
        return tag("ol", (tag("li", _value(inner)) for inner in value), class_="tree")
    if isinstance(value, str) and not isinstance(value, _Number):
        return _text(value)
    return tag("code", str(value) if isinstance(value, _Number) else json.dumps(value))


def _item(name: Element, value: Any) -> Element:
    return tag("li", name, ": ", _value(value))


def _text(value: str) -> Element:
    """A text between quotes, line by line; hidden characters are marked, and counted."""
    lines = value.split("\n")
    shown = tag("span", [tag("code", f'"{line}"', class_="text") for line in lines])
    hidden = sum(not character.isprintable() for line in lines for character in line)
    count = f"{hidden} hidden character{'s' if hidden > 1 else ''}"
    badge = tag("span", count, class_="badge bad") if hidden else None
    if len(value) <= _LONG:
        return tag("span", shown, badge)
    size = f"text of {len(value)} characters, {len(value.encode('utf-8', 'replace'))} bytes"
    return tag("details", tag("summary", size, badge), shown)
