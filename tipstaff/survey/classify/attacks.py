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

from tipstaff.common.visible_text import visible
from tipstaff.survey.classify.lexicon import lexicon
from tipstaff.survey.classify.schema import properties
from tipstaff.survey.classify.words import split_name
from tipstaff.survey.model import Category, Classification, Definition, Mark, Risk
from tipstaff.survey.starter.constraint import Chosen, chosen_names, constraint
from tipstaff.survey.starter.quoting import key as yaml_key

MOST = 6
"""Attacks that are told of one tool."""

# What the argument is called that a mark is about: classes of names in `lexicon.toml`.
_ARGUMENTS = {
    Mark.FILES: ("path",),
    Mark.FREE_CODE: ("code", "perhaps_code", "query", "manifest"),
    Mark.FREE_URL: ("url", "webhook"),
    Mark.SECRETS_IN: ("secret",),
}
# Names of an argument that is a path beside one that is called so: the ends of a move.
_ENDS = {Mark.FILES: frozenset("src dst dest from to source destination target old new".split())}
_PLACEHOLDER = re.compile(r"\{(tool|server|argument|held)\}")
_RULE = re.compile(r"`[^`]*`")
_LONGEST_NAME = 60
_TOO_MANY = (
    "Its arguments of this kind are more than can be shown; until each is named in `arguments`, let a "
    "person see every call: `tools: {{tool}: {action: require_approval}}`."
)


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

    def holds(self, tool: str, classification: Classification) -> bool:
        """Whether the attack applies to a tool with these features."""
        marks, words = set(classification.marks), set(split_name(tool))
        risks = tuple(Risk)
        return (
            (not self.categories or classification.category in self.categories)
            and marks.issuperset(self.all_marks)
            and (not self.any_marks or not marks.isdisjoint(self.any_marks))
            and marks.isdisjoint(self.not_marks)
            and risks.index(classification.risk) >= risks.index(self.min_risk)
            and (not self.words or not words.isdisjoint(self.words))
            and words.isdisjoint(self.not_words)
        )


class Attack(Struct, frozen=True, forbid_unknown_fields=True):
    """One attack. `looks_like` and `stops` are templates; the larger `weight` is told first.

    `value` is the schema, in YAML, that a dangerous argument must meet; `alone`: no other may be there.
    """

    key: str
    name: str
    weight: int
    what: str
    looks_like: str
    stops: str
    references: tuple[str, ...]
    applies: Applies
    value: str = ""
    alone: bool = False

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
    return tuple(sorted(_file().attack, key=lambda attack: -attack.weight))


def parse(text: str) -> tuple[Attack, ...]:
    """A catalogue from TOML; raises `ValueError` where it says what it must not."""
    return _parse(text).attack


def attacks_on(
    tool: str, server: str, definition: Definition, classification: Classification
) -> tuple[Applied, ...]:
    """The attacks that `tool` of `server` is open to, the most relevant first, at most `MOST`."""
    hits = [attack for attack in load() if attack.applies.holds(tool, classification)][:MOST]
    return tuple(_apply(attack, tool, server, definition, classification) for attack in hits)


def argument(
    definition: Definition, classification: Classification, marks: Collection[Mark]
) -> str | None:
    """The first of the arguments that the marks are about; nothing where the tool declares none."""
    schema = definition.get("inputSchema")
    return next(iter(chosen_names(schema, _chosen(schema, classification, marks))), None)


def _chosen(schema: Any, classification: Classification, marks: Collection[Mark]) -> Chosen:
    """Whether an argument is one that the marks are about: by the evidence, or by what it is called.

    Where none is, the first argument stands for it.
    """
    own = [mark for mark in marks if mark in classification.marks]
    quoted = {
        name
        for mark in own
        for evidence in classification.evidence
        if evidence.says.startswith(f"{mark.value}:")
        for name in evidence.words.split(", ")
    }
    called = [lexicon().argument_names[kind] for mark in own for kind in _ARGUMENTS.get(mark, ())]
    ends = {end for mark in own for end in _ENDS.get(mark, ())}

    def is_chosen(name: str) -> bool:
        words = split_name(name)
        spellings = (name.lower(), "_".join(words))
        return (
            name in quoted
            or any(pattern.fullmatch(spelling) for pattern in called for spelling in spellings)
            or (len(words) == 1 and words[0] in ends)
        )

    names = [name for name, _ in properties(schema)]
    if any(map(is_chosen, names)):
        return is_chosen
    return lambda name: name in names[:1]


def _apply(
    attack: Attack, tool: str, server: str, definition: Definition, classification: Classification
) -> Applied:
    words = {"tool": tool, "server": server, "argument": "", "held": ""}
    stops = attack.stops
    if attack.argument_marks:
        schema = definition.get("inputSchema")
        chosen = _chosen(schema, classification, attack.argument_marks)
        words["argument"] = next(iter(chosen_names(schema, chosen)), "")
        held = constraint(schema, chosen, attack.value, lambda name: _quoted(name, "argument"))
        if held is None and "{held}" in stops:
            stops = _TOO_MANY
        words["held"] = _held(attack, held or "")
    return Applied(
        key=attack.key,
        name=attack.name,
        looks_like=_sentence(attack.looks_like, words),
        stops="".join(_stops(stops, words)),
        references=tuple(
            f"{reference} {_file().references[reference]}" for reference in attack.references
        ),
    )


def _held(attack: Attack, members: str) -> str:
    """The schema that the rule demands, by its members; of a tool without arguments, one to fill in."""
    members = members or f"properties: {{ARGUMENT: {attack.value}}}, required: [ARGUMENT]"
    return f"{{{members}{', additionalProperties: false' if attack.alone else ''}}}"


def _stops(template: str, words: dict[str, str]) -> Iterator[str]:
    """The sentence, with names as keys where it is a rule."""
    last = 0
    for rule in _RULE.finditer(template):
        yield _sentence(template[last : rule.start()], words)
        yield _PLACEHOLDER.sub(
            lambda placeholder: (
                words["held"]
                if placeholder[1] == "held"
                else _quoted(words[placeholder[1]], placeholder[1])
            ),
            rule[0],
        )
        last = rule.end()
    yield _sentence(template[last:], words)


def _sentence(template: str, words: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda placeholder: _shown(words[placeholder[1]]), template)


def _shown(name: str) -> str:
    return (
        f"`{visible(name, _LONGEST_NAME, folds=True).replace('`', chr(39))}`"
        if name
        else "its argument"
    )


def _quoted(name: str, kind: str) -> str:
    """The name as a YAML key; one that no key can hold, or that is too long, by its kind."""
    quoted = yaml_key(name) if len(name) <= _LONGEST_NAME else None
    return quoted if quoted and "`" not in quoted else kind.upper()


def _parse(text: str) -> _File:
    file = msgspec.convert(tomllib.loads(text), _File)
    keys = [attack.key for attack in file.attack]
    for attack in file.attack:
        unknown = set(attack.references) - set(file.references)
        if unknown or keys.count(attack.key) > 1:
            raise ValueError(f"{attack.key}: {sorted(unknown) or 'is there twice'}")
        if "{held}" in attack.stops and not attack.value:
            raise ValueError(f"{attack.key}: says that arguments are held, and not to what")
        if (
            re.search(r"\{(argument|held)\}", attack.looks_like + attack.stops)
            and not attack.argument_marks
        ):
            raise ValueError(f"{attack.key}: names an argument, and demands no mark of one")
    return file


@cache
def _file() -> _File:
    text: Any = (
        resources.files("tipstaff.survey.classify").joinpath("attacks.toml").read_text("utf-8")
    )
    return _parse(text)
