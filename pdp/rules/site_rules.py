"""Finds rules in a site's Rego that nothing would read: wrong packages, wrong sets, unused rules. Pure.

The library reads the sets of `elements.SETS` in packages `site.NAME`, and nothing else. Valid Rego that
the library does not read is a problem, because a denial that is not read is an allow: another package, a
rule that gives a value where a set is read, an element without its keys, and a rule that no set depends
on. OPA itself parses the files and finds the dependencies, so that there is no second parser of Rego here.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from pdp.rules import elements
from pdp.rules.elements import SETS, Term
from tipstaff.common.did_you_mean import closest

_MOVE = "move it to site/NAME/NAME.rego"
# Names that other policies use for these sets.
_MEANT = MappingProxyType(
    {
        "deny": ("block", "blocked", "denied", "forbid", "forbidden", "reject", "violation"),
        "hidden": ("hide", "invisible"),
        "permit": ("allow", "allowed", "authorized", "grant", "permitted"),
        "require_approval": ("approval", "approve", "hold"),
        "limit": ("budget", "quota", "rate_limit"),
        "check": ("arguments", "schema"),
    }
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCALARS = ("string", "number", "boolean", "null")

Path = tuple[tuple[str, Any], ...]
"""The path of a rule below `data`: type and value of each step, up to the first that varies."""


class Location(Struct, frozen=True):
    """The place of a node in its file; the first line is 1."""

    row: int


class Head(Struct, frozen=True):
    """The head of a rule: its name, and the element it adds (`key`) or its value (`value`)."""

    ref: tuple[Term, ...]
    key: Term | None = None
    value: Raw = field(default_factory=Raw)
    args: tuple[Raw, ...] = ()


class Rule(Struct, frozen=True):
    """A rule without its conditions."""

    head: Head
    location: Location
    default: bool = False

    @property
    def name(self) -> str:
        """The first part of the rule's name."""
        return str(self.head.ref[0].value)


class Package(Struct, frozen=True):
    """The package that a file names, `data` first."""

    path: tuple[Term, ...]
    location: Location


class Module(Struct, frozen=True):
    """A file as `opa parse` gives it, with locations."""

    package: Package
    rules: tuple[Rule, ...] = ()


class _Dependencies(Struct):
    virtual: tuple[tuple[Term, ...], ...] = ()


_decode_module = msgspec.json.Decoder(Module).decode
_decode_dependencies = msgspec.json.Decoder(_Dependencies).decode


def read_module(parsed: bytes) -> Module:
    """The file in the output of `opa parse`."""
    return _decode_module(parsed)


def query(modules: Iterable[Module]) -> str:
    """A query of every rule with the name of a set; its dependencies are the rules in use."""
    refs = {
        _reference(_place(module.package, rule)[: len(module.package.path) + 1])
        for module in modules
        for rule in module.rules
        if rule.name in SETS
    }
    return "; ".join(sorted(refs)) or "true"


def read_dependencies(printed: bytes) -> frozenset[Path]:
    """The rules that the query depends on, from the output of `opa deps`."""
    return frozenset(_path(ref) for ref in _decode_dependencies(printed).virtual)


def problems(modules: Mapping[str, Module], used: frozenset[Path]) -> list[str]:
    """Rules of the site's files that nothing would read: a sentence each, with file and line."""
    return [
        f"{file}:{row}: {sentence}"
        for file, module in sorted(modules.items())
        for row, sentence in sorted(_of_module(file, module, used))
    ]


def problems_of_tests(modules: Mapping[str, Module]) -> list[str]:
    """Rules among the tests of a package that look as if they belonged to it."""
    return [
        f"{file}:{rule.location.row}: `{rule.name}` decides nothing in a file of tests; "
        "move it to a file whose name does not end in _test.rego"
        for file, module in sorted(modules.items())
        for rule in module.rules
        if rule.name in SETS and _dotted(module.package.path) == _own_package(file)
    ]


def _of_module(file: str, module: Module, used: frozenset[Path]) -> Iterator[tuple[int, str]]:
    row, package, own = module.package.location.row, module.package.path, _own_package(file)
    if _dotted(package) != own:
        advice = f"write `package {own.removeprefix('data.')}`" if own else _MOVE
        yield row, f"its package is {_dotted(package).removeprefix('data.')}; {advice}"
        return
    if not module.rules:
        yield row, "it holds no rule; write one, or take the file away"
    seen: set[Path] = set()
    for rule in module.rules:
        path = _path(_place(module.package, rule))
        if rule.name in SETS:
            for sentence in _of_set(rule):
                yield rule.location.row, sentence
        elif path not in used and path not in seen:
            seen.add(path)
            name = _dotted(rule.head.ref)
            yield rule.location.row, f"`{name}` adds to nothing; {_meant(rule.name)}"


def _of_set(rule: Rule) -> Iterator[str]:
    name, head = rule.name, rule.head
    if rule.default:
        yield f"`{name}` is a set and has no default; take the line away"
    elif head.args:
        yield from _no_set(name, "a function")
    elif len(head.ref) > 1 or (head.key is not None and head.value):
        yield from _no_set(name, "an object")
    elif head.key is None:
        yield from _no_set(name, "a value")
    else:
        yield from elements.problems(name, head.key)


def _no_set(name: str, kind: str) -> Iterator[str]:
    example = f"{name} contains {elements.example(name)}"
    yield f"`{name}` is {kind} here, and only a set is read: write `{example}`"


def _meant(name: str) -> str:
    words = {word: meant for meant, others in _MEANT.items() for word in (meant, *others)}
    words |= {word: word for word in SETS}
    close = closest(name.strip("_").lower(), words, likeness=0.7)
    if close is not None:
        meant = words[close]
        return f"did you mean `{meant} contains {elements.example(meant)}`?"
    *names, last = SETS
    return f"no {', '.join(names)} or {last} uses it"


def _own_package(file: str) -> str:
    """The package of a file below site/NAME; "" for a file outside such a folder."""
    parts = file.split("/")
    own = (Term("var", "data"), Term("string", "site"), Term("string", parts[1]))
    return _dotted(own) if len(parts) > 2 else ""


def _place(package: Package, rule: Rule) -> tuple[Term, ...]:
    return (*package.path, Term("string", rule.name), *rule.head.ref[1:])


def _path(ref: Iterable[Term]) -> Path:
    """The steps of `ref` below `data`, up to the first that varies."""
    fixed = itertools.takewhile(lambda term: term.type in _SCALARS, list(ref)[1:])
    return tuple((term.type, term.value) for term in fixed)


def _reference(ref: Iterable[Term]) -> str:
    """A reference that OPA reads, whatever its parts are called."""
    return "data" + "".join(f"[{json.dumps(value)}]" for _, value in _path(ref))


def _dotted(ref: Iterable[Term]) -> str:
    """A reference as people write it."""
    first, *rest = ref
    return str(first.value) + "".join(_step(term) for term in rest)


def _step(term: Term) -> str:
    if term.type == "string" and _IDENTIFIER.fullmatch(str(term.value)):
        return f".{term.value}"
    if term.type in _SCALARS:
        return f"[{json.dumps(term.value)}]"
    return f"[{term.value}]" if term.type == "var" else "[…]"
