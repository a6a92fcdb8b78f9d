"""The phrases of poisoned definitions and the letters that look Latin, read once from `signs.toml`.

`signs.toml` is English; a file beside it holds the phrases of each other language. Pure after that. It knows texts in their plain form only (`glyphs.plain`), and no definitions.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

BREAK = "\x00"
"""Stands between the texts of one definition; no plain text holds it."""

MENTION = "\x01"
"""Stands for the name of another tool; no plain text holds it."""

_NEAR = 160
_SENTENCE_END = re.compile(r"[.!?] |\u3002|\x00")
_PART = re.compile(r"<<(\w+)>>")

LANGUAGES = ("de", "fr", "es", "zh")
"""The languages that have phrases of their own, beside English."""

Kind = Literal[
    "instructions_to_model", "references_other_tools", "asks_for_secrets", "exfiltration_link"
]


class _Phrase(Struct, frozen=True, forbid_unknown_fields=True):
    kind: Kind
    says: str
    find: str
    near: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


class _Reference(Struct, frozen=True, forbid_unknown_fields=True):
    says: str
    find: str
    near: tuple[str, ...] = ()
    strangers: bool = False


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    phrase: tuple[_Phrase, ...]
    reference: tuple[_Reference, ...]
    letters: dict[str, str] = {}
    parts: dict[str, str] = {}
    """Patterns that others hold as `<<name>>`."""


class Phrase(Struct, frozen=True):
    """Words that a description has no business to hold."""

    kind: Kind
    says: str
    find: re.Pattern[str]
    near: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]

    def matches(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the phrase stands in a plain text: from, to."""
        for match in self.find.finditer(text):
            around = text[_left(text, match.start()) : _right(text, match.end())]
            if not all(near.search(around) for near in self.near):
                continue
            if self.unless and _is_excused(self.unless, text, match):
                continue
            yield match.span()


class Reference(Struct, frozen=True):
    """Words that lay hands on another tool. `strangers`: only where it belongs to another server."""

    says: str
    find: re.Pattern[str]
    near: tuple[re.Pattern[str], ...]
    strangers: bool

    def holds(self, sentence: str) -> bool:
        """Whether the sentence, with `MENTION` for the other tool's name, says so."""
        return bool(self.find.search(sentence)) and all(
            pattern.search(sentence) for pattern in self.near
        )


class KnownPhrases(Struct, frozen=True):
    """All that `signs.toml` says."""

    phrases: tuple[Phrase, ...]
    references: tuple[Reference, ...]
    letters: Mapping[str, str]
    """A letter of another script, or a rare one, to the Latin letter that it looks like."""


@cache
def known_phrases() -> KnownPhrases:
    """The phrases that ship with Tipstaff."""
    english = _file("signs.toml")
    files = (english, *(_file(f"signs.{language}.toml") for language in LANGUAGES))
    return KnownPhrases(
        phrases=tuple(_phrase(entry, english.parts) for file in files for entry in file.phrase),
        references=tuple(
            _reference(entry, english.parts) for file in files for entry in file.reference
        ),
        letters={alike: latin for latin, all_ in english.letters.items() for alike in all_},
    )


def sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence around a place begins and ends, as far as it is near."""
    left = _left(text, start)
    for stop in _SENTENCE_END.finditer(text, left, start):
        left = stop.end()
    right = _right(text, end)
    stop_after = _SENTENCE_END.search(text, end, right)
    return left, stop_after.start() if stop_after else right


def _is_excused(unless: tuple[re.Pattern[str], ...], text: str, match: re.Match[str]) -> bool:
    left, right = sentence(text, *match.span())
    return any(pattern.search(text, left, right) for pattern in unless)


def _left(text: str, start: int) -> int:
    far = max(0, start - _NEAR)
    return max(far, text.rfind(BREAK, far, start) + 1)


def _right(text: str, end: int) -> int:
    stop = text.find(BREAK, end, end + _NEAR)
    return end + _NEAR if stop < 0 else stop


def _file(name: str) -> _File:
    text = resources.files("tipstaff.survey.poisoning").joinpath(name).read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _File)


def _phrase(entry: _Phrase, parts: Mapping[str, str]) -> Phrase:
    patterns = (
        tuple(_pattern(text, parts) for text in texts) for texts in (entry.near, entry.unless)
    )
    return Phrase(entry.kind, entry.says, _pattern(entry.find, parts), *patterns)


def _reference(entry: _Reference, parts: Mapping[str, str]) -> Reference:
    find, *near = (
        _pattern(text.replace("@", MENTION), parts) for text in (entry.find, *entry.near)
    )
    return Reference(entry.says, find, tuple(near), entry.strangers)


def _pattern(text: str, parts: Mapping[str, str]) -> re.Pattern[str]:
    """The pattern with its parts in their places; parts may hold parts."""
    while _PART.search(text):
        text = _PART.sub(lambda part: parts[part[1]], text)
    return re.compile(text)
