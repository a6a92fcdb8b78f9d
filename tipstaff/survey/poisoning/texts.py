"""Every text that a definition shows to a model, up to a bound, and where each of them stands. Pure.

Property names, enum values, defaults and annotations count as texts: a model reads all of them. What a
definition holds beyond the bound is not read, and `is_cut` says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, TypeAlias

from msgspec import Struct

from pdp.api.definition import MEMBERS
from tipstaff.common.visible_text import visible
from tipstaff.survey.model import Definition
from tipstaff.survey.poisoning.characters import Plain, plain
from tipstaff.survey.poisoning.phrases import BREAK

MOST_READ = 100_000
"""Characters of one definition that are read: twice the largest of 1,390 honest ones (41,315)."""
MOST_NODES = 100_000
"""Members and elements of one definition that are looked at; the largest honest one has 4,000."""

_LONGEST_PATH = 200

_Path: TypeAlias = "tuple[_Path, str] | None"


class Text(Struct, frozen=True):
    """One string of a definition, and where it stands."""

    path: _Path
    text: str
    is_key: bool = False

    def place(self, at: int) -> str:
        """In words, where the character `at` stands, for example `description, character 41`."""
        parts: list[str] = []
        path = self.path
        while path is not None:
            path, part = path
            parts.append(part)
        shown = visible("".join(reversed(parts)))
        if len(shown) > _LONGEST_PATH:
            shown = f"{shown[:99]}…{shown[-100:]}"
        return f"{shown}{' (the name itself)' if self.is_key else ''}, character {at + 1}"


class Reading(Struct, frozen=True):
    """The texts of one definition, and their plain forms as one document."""

    texts: tuple[Text, ...]
    plains: tuple[Plain, ...]
    starts: tuple[int, ...]
    document: str
    """The plain forms, `BREAK` between them."""
    is_cut: bool

    def origin(self, start: int, end: int) -> tuple[int, int, int]:
        """A place in the document as the number of the text and the place in it as it came."""
        number = bisect_right(self.starts, start) - 1
        first, origin = self.starts[number], self.plains[number].origin
        return number, origin(start - first), origin(max(start, end - 1) - first) + 1


def read(definition: Definition) -> Reading:
    """Read a definition, in its own order."""
    texts: list[Text] = []
    left = MOST_READ
    for nodes, text in enumerate(_walk(definition), 1):
        if left <= 0 or nodes > MOST_NODES:
            left = -1
            break
        if text is not None:
            texts.append(Text(text.path, text.text[:left], text.is_key))
            left -= len(text.text)
    plains = tuple(plain(text.text) for text in texts)
    starts, length = [], 0
    for one_plain in plains:
        starts.append(length)
        length += len(one_plain.text) + 1
    document = BREAK.join(plain_text.text for plain_text in plains)
    return Reading(tuple(texts), plains, tuple(starts), document, left < 0)


def _walk(definition: Definition) -> Iterator[Text | None]:
    """Every node, however deep it lies: a text, or nothing where it is none."""
    members = (((None, name), definition[name]) for name in MEMBERS if name in definition)
    stack: list[Iterator[tuple[_Path, Any]]] = [iter(members)]
    while stack:
        path, value = next(stack[-1], (None, None))
        if path is None:
            stack.pop()
        elif isinstance(value, str | Text):
            yield value if isinstance(value, Text) else Text(path, value)
        else:
            yield None
            stack.append(_inside(path, value))


def _inside(path: _Path, value: Any) -> Iterator[tuple[_Path, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            below = (path, f".{key}")
            yield below, Text(below, str(key), is_key=True)
            yield below, inner
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield (path, f"[{at}]"), inner
