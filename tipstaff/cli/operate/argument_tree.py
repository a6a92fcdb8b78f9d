"""The arguments of a call as an indented tree, whole, for the person who answers for the call. Pure.

One value a line, behind its name; numbers as they were written. A text stands between quotes, a text of
several lines below its name. What is wider than the terminal goes on below itself behind a bar, so that
no value looks like a line of ours. Every text is shown by `exact`; nothing is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rich.cells import chop_cells
from rich.text import Text

from tipstaff.common.visible_text import exact

_STEP = 2
_LEAST_ROOM = 20
_LONG = 200
"""From so many characters on a text is told with its length."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$-]*")
_GO_ON = "│ "


class _Number(str):
    """A number by its text."""

    __slots__ = ()


def tree(document: str, indent: int = 0, width: int | None = None) -> Iterator[Text]:
    """The lines of a JSON document that begin at column `indent` and are at most `width` columns wide."""
    try:
        value = json.loads(document or "{}", parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        # It has been read strictly before; what cannot be read now is shown as it is.
        yield from folded(Text("not readable as JSON: ", "red"), exact(document), indent, width)
        return
    if not value and isinstance(value, dict):
        yield Text(" " * indent + "none", "dim")
        return
    yield from (
        _members(value, indent, width)
        if isinstance(value, dict)
        else _item(Text(), value, indent, width)
    )


def folded(
    head: Text, text: str, indent: int, width: int | None, style: str = ""
) -> Iterator[Text]:
    """`text` behind `head`, going on below behind a bar where it is wider than the terminal."""
    room = None if width is None else max(width - indent - head.cell_len, _LEAST_ROOM)
    margin = " " * indent
    if room is None or Text(text).cell_len <= room:
        yield Text.assemble(margin, head, (text, style))
        return
    first, *rest = chop_cells(text, room)
    yield Text.assemble(margin, head, (first, style))
    remainder = "".join(rest)
    below = max((width or 0) - indent - _STEP - len(_GO_ON), _LEAST_ROOM)
    for line in chop_cells(remainder, below):
        yield Text.assemble(margin, " " * _STEP, (_GO_ON, "dim"), (line, style))


def _members(value: dict[str, Any], indent: int, width: int | None) -> Iterator[Text]:
    for name, item in value.items():
        shown = name if _PLAIN_NAME.fullmatch(name) else f'"{exact(name)}"'
        yield from _item(Text.assemble((shown, "cyan"), ": "), item, indent, width)


def _item(head: Text, value: Any, indent: int, width: int | None) -> Iterator[Text]:
    """A value behind its name; what it holds stands below, a step further in."""
    if isinstance(value, dict) and value:
        yield from folded(head, "", indent, width)
        yield from _members(value, indent + _STEP, width)
    elif isinstance(value, list) and value:
        count = f"({len(value)} {'item' if len(value) == 1 else 'items'})"
        yield from folded(head, count, indent, width, "dim")
        for number, item in enumerate(value, 1):
            yield from _item(Text(f"{number}. ", "dim"), item, indent + _STEP, width)
    elif isinstance(value, str) and not isinstance(value, _Number):
        yield from _text(head, value, indent, width)
    else:
        yield from folded(head, _plain(value), indent, width, "magenta")


def _plain(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    return json.dumps(value)


def _text(head: Text, value: str, indent: int, width: int | None) -> Iterator[Text]:
    """A text between quotes; one of several lines as lines, each between quotes of its own."""
    lines = value.split("\n")
    length = f"({len(value):,} characters) " if len(value) >= _LONG else ""
    if len(lines) == 1:
        long_head = Text.assemble(head, (length, "dim"))
        yield from folded(long_head, f'"{exact(value)}"', indent, width)
        return
    yield from folded(head, f"{length}({len(lines)} lines)", indent, width, "dim")
    for line in lines:
        yield from folded(Text(), f'"{exact(line)}"', indent + _STEP, width)
