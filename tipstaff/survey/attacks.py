"""Which known attacks a tool is open to, by the kind of access it gives. Pure; data in `attacks.toml`.

A catalogue, not a verdict: that an attack applies means that nothing in the kind of tool prevents it,
not that anybody has tried. What comes from the server, its name and those of its tools and arguments, is
escaped before it stands in a sentence, and quoted before it stands in a rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from tipstaff.survey.lexicon import lexicon
from tipstaff.survey.model import Category, Classification, Definition, Mark, Risk
from tipstaff.survey.quoting import key as yaml_key
from tipstaff.survey.quoting import visible
from tipstaff.survey.schema import properties
from tipstaff.survey.words import split_name

MOST = 6
"""Attacks that are told of one tool."""

# What the argument is called that a mark is about: classes of names in `lexicon.toml`.
_ARGUMENTS = {
    Mark.FILES: ("path",),
    Mark.FREE_CODE: ("code", "perhaps_code", "query", "manifest"),
    Mark.FREE_URL: ("url", "webhook"),
    Mark.SECRETS_IN: ("secret",),
}
_PLACEHOLDER = re.compile(r"\{(tool|server|argument)\}")
_RULE = re.compile(r"`[^`]*`")
_LONGEST_NAME = 60
_IN_A_LIST = " {argument} is a list: what its elements must be stands below `items`."


class Applies(Struct, frozen=True, forbid_unknown_fields=True):
    """To which tools an attack applies: everything that is named must hold."""

    categories: tuple[Category, ...] = ()
    all_marks: tuple[Mark, ...] = ()
    any_marks: tuple[Mark, ...] = ()
    not_marks: tuple[Mark, ...] = ()
    min_risk: Risk = Risk.LOW
    words: tuple[str, ...] = ()
    """Of which one is a word of the tool's name."""
    not_words: tuple[str, ...] = ()
    """Of which none is."""

    def holds(self, tool: str, found: Classification) -> bool:
        """Whether it applies to a tool that is found to be so."""
        marks, words = set(found.marks), set(split_name(tool))
        risks = tuple(Risk)
        return (
            (not self.categories or found.category in self.categories)
            and marks.issuperset(self.all_marks)
            and (not self.any_marks or not marks.isdisjoint(self.any_marks))
            and marks.isdisjoint(self.not_marks)
            and risks.index(found.risk) >= risks.index(self.min_risk)
            and (not self.words or not words.isdisjoint(self.words))
            and words.isdisjoint(self.not_words)
        )


class Attack(Struct, frozen=True, forbid_unknown_fields=True):
    """One attack. `looks_like` and `stops` are templates; the larger `weight` is told first."""

    key: str
    name: str
    weight: int
    what: str
    looks_like: str
    stops: str
    references: tuple[str, ...]
    applies: Applies

    @property
    def is_universal(self) -> bool:
        """Whether every tool is open to it: what stops it is a pin, and no rule of the tool's."""
        return self.applies == Applies()

    @property
    def argument_marks(self) -> tuple[Mark, ...]:
        """The marks that it demands and that are about an argument."""
        demanded = (*self.applies.all_marks, *self.applies.any_marks)
        return tuple(mark for mark in demanded if mark in _ARGUMENTS)


class Applied(Struct, frozen=True):
    """An attack that a tool is open to, in that tool's words. `references` have their titles."""

    key: str
    name: str
    looks_like: str
    stops: str
    references: tuple[str, ...]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    references: dict[str, str]
    attack: tuple[Attack, ...]


@cache
def load() -> tuple[Attack, ...]:
    """The catalogue that ships with Tipstaff, the heaviest first."""
    return tuple(sorted(_file().attack, key=lambda one: -one.weight))


def parse(text: str) -> tuple[Attack, ...]:
    """A catalogue from TOML; raises `ValueError` where it says what it must not."""
    return _parse(text).attack


def attacks_on(
    tool: str, server: str, definition: Definition, found: Classification
) -> tuple[Applied, ...]:
    """The attacks that `tool` of `server` is open to, the most relevant first, at most `MOST`."""
    hits = [attack for attack in load() if attack.applies.holds(tool, found)][:MOST]
    return tuple(_apply(attack, tool, server, definition, found) for attack in hits)


def argument(definition: Definition, found: Classification, marks: Collection[Mark]) -> str | None:
    """The argument that the marks are about: what the evidence names, else what is called like one.

    Nothing where the tool declares no argument.
    """
    names = [name for name, _ in properties(definition.get("inputSchema"))]
    own = [mark for mark in marks if mark in found.marks]
    for mark in own:
        for one in found.evidence:
            quoted = one.words.split(", ") if one.says.startswith(f"{mark.value}:") else ()
            if named := next((name for name in names if name in quoted), None):
                return named
    called = [lexicon().argument_names[kind] for mark in own for kind in _ARGUMENTS.get(mark, ())]
    likely = (name for name in names if any(one.fullmatch(name.lower()) for one in called))
    return next(likely, next(iter(names), None))


def _apply(
    attack: Attack, tool: str, server: str, definition: Definition, found: Classification
) -> Applied:
    name = argument(definition, found, attack.argument_marks) if attack.argument_marks else None
    words = {"tool": tool, "server": server, "argument": name or ""}
    schema = dict(properties(definition.get("inputSchema"))).get(name or "", {})
    is_list = "{argument}" in attack.stops and schema.get("type") == "array"
    return Applied(
        key=attack.key,
        name=attack.name,
        looks_like=_sentence(attack.looks_like, words),
        stops="".join(_stops(attack.stops + (_IN_A_LIST if is_list else ""), words)),
        references=tuple(f"{one} {_file().references[one]}" for one in attack.references),
    )


def _stops(template: str, words: dict[str, str]) -> Iterator[str]:
    """The sentence, with names as keys where it is a rule."""
    last = 0
    for rule in _RULE.finditer(template):
        yield _sentence(template[last : rule.start()], words)
        yield _PLACEHOLDER.sub(lambda found: _quoted(words[found[1]], found[1]), rule[0])
        last = rule.end()
    yield _sentence(template[last:], words)


def _sentence(template: str, words: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: _shown(words[found[1]]), template)


def _shown(name: str) -> str:
    return f"`{visible(name, _LONGEST_NAME).replace('`', chr(39))}`" if name else "its argument"


def _quoted(name: str, kind: str) -> str:
    """The name as a key; one that no key can say, or that nobody would read, by its kind."""
    quoted = yaml_key(name) if len(name) <= _LONGEST_NAME else None
    return quoted if quoted and "`" not in quoted else kind.upper()


def _parse(text: str) -> _File:
    file = msgspec.convert(tomllib.loads(text), _File)
    keys = [attack.key for attack in file.attack]
    for attack in file.attack:
        unknown = set(attack.references) - set(file.references)
        if unknown or keys.count(attack.key) > 1:
            raise ValueError(f"{attack.key}: {sorted(unknown) or 'is there twice'}")
        if "{argument}" in attack.looks_like + attack.stops and not attack.argument_marks:
            raise ValueError(f"{attack.key}: names an argument, and demands no mark of one")
    return file


@cache
def _file() -> _File:
    text: Any = resources.files("tipstaff.survey").joinpath("attacks.toml").read_text("utf-8")
    return _parse(text)
