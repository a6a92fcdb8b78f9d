"""At which line of a TOML text a key stands, which `tomllib` does not tell. Pure.

A guess good enough for a person: a line of a text of several lines may look like a key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TITLE = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


class TomlLines:
    """The lines of the sections and keys of one text."""

    def __init__(self, text: str) -> None:
        """Look through the text once."""
        self._lines: dict[tuple[str, ...], int] = {}
        section: tuple[str, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if title := _TITLE.match(line):
                section = _parts(title[1])
                self._note(section, number)
            elif key := _KEY.match(line):
                self._note((*section, *_parts(key[1])), number)

    def of(self, path: Sequence[str]) -> int:
        """The line of the key, else of what it belongs to, else the first."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(tuple(path[:length]))
            if line is not None:
                return line
        return 1

    def _note(self, path: tuple[str, ...], number: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], number)


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
