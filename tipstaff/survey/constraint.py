"""The schema that a rule demands of a tool's dangerous arguments, as text to copy into the rule. Pure.

Every argument of the kind is in it, where the tool's own schema has it: of a move both ends, of a list
its elements, of an object what lies in it. All are required, because what is left out is checked by
nobody, and a tool that falls back on a default of its own falls back on what no rule has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

MOST = 6
"""Arguments in one schema that a person would still read."""

_DEEPEST = 6
_MOST_PARTS = 2_000
_OF_A_CHOICE = ("anyOf", "oneOf", "allOf")

Chosen = Callable[[str], bool]
"""Whether an argument of this name carries the danger."""
WriteKey = Callable[[str], str]
"""Writes a name as a key in YAML."""


def constraint(schema: Any, chosen: Chosen, value: str, write_key: WriteKey) -> str | None:
    """The members of a schema that holds `value`, a schema in YAML, for each chosen argument.

    "" when `schema` declares no such argument; `None` when it declares more than can be shown.
    """
    if len(chosen_names(schema, chosen)) > MOST:
        return None
    try:
        return _members(_Declared(schema, schema, _Parts()), chosen, value, write_key, 0)
    except _TooInvolvedError:
        return None


def chosen_names(schema: Any, chosen: Chosen) -> tuple[str, ...]:
    """The names of the chosen arguments, the outermost first, at most one more than `MOST`."""
    names: dict[str, None] = {}
    with suppress(_TooInvolvedError):
        for name in _names(_Declared(schema, schema, _Parts()), chosen, 0):
            names[name] = None
            if len(names) > MOST:
                break
    return tuple(names)


class _TooInvolvedError(Exception):
    """A schema refers to itself so often that nobody could follow."""


class _Parts:
    """Counts the parts of a schema that were looked at."""

    def __init__(self) -> None:
        self.seen = 0

    def count(self) -> None:
        self.seen += 1
        if self.seen > _MOST_PARTS:
            raise _TooInvolvedError


class _Declared:
    """A part of a tool's schema, together with the whole that its references lead into."""

    def __init__(self, part: Any, whole: Any, parts: _Parts) -> None:
        parts.count()
        self._whole, self._parts = whole, parts
        self.part = self._resolved(part)

    def _resolved(self, part: Any) -> Mapping[str, Any]:
        for _ in range(_DEEPEST):
            reference = part.get("$ref") if isinstance(part, dict) else None
            if not isinstance(reference, str) or not f"{reference}/".startswith("#/"):
                break
            part = self._whole
            for step in reference.split("/")[1:]:
                name = step.replace("~1", "/").replace("~0", "~")
                part = part.get(name) if isinstance(part, dict) else None
        return part if isinstance(part, dict) else {}

    def _inside(self, part: Any) -> _Declared:
        return _Declared(part, self._whole, self._parts)

    def _forms(self) -> Iterator[Mapping[str, Any]]:
        """The part itself, and what it may be instead."""
        yield self.part
        for word in _OF_A_CHOICE:
            listed = self.part.get(word)
            for one in listed if isinstance(listed, list) else ():
                yield self._inside(one).part

    def properties(self) -> dict[str, _Declared]:
        listed: dict[str, _Declared] = {}
        for form in self._forms():
            own = form.get("properties")
            for name, part in own.items() if isinstance(own, dict) else ():
                if isinstance(part, dict) and name not in listed:
                    listed[str(name)] = self._inside(part)
        return listed

    def types(self) -> set[str]:
        types: set[str] = set()
        for form in self._forms():
            own = form.get("type")
            types |= {own} if isinstance(own, str) else set()
            types |= (
                {one for one in own if isinstance(one, str)} if isinstance(own, list) else set()
            )
        return types

    def elements(self) -> _Declared:
        return self._inside(next((form["items"] for form in self._forms() if "items" in form), {}))


def _members(
    declared: _Declared, chosen: Chosen, value: str, write_key: WriteKey, depth: int
) -> str:
    held = {}
    for name, part in declared.properties().items() if depth < _DEEPEST else ():
        demanded = _demanded(part, value if chosen(name) else "", chosen, value, write_key, depth)
        if demanded:
            held[write_key(name)] = demanded
    if not held:
        return ""
    listed = ", ".join(f"{name}: {demanded}" for name, demanded in held.items())
    return f"properties: {{{listed}}}, required: [{', '.join(held)}]"


def _demanded(
    declared: _Declared, own: str, chosen: Chosen, value: str, write_key: WriteKey, depth: int
) -> str:
    """What an argument must be in each form that it may take; nothing when it carries no danger.

    `own` is what it must be itself, and `value` what the chosen ones within it must be.
    """
    types = declared.types()
    forms = [own] if own and ("string" in types or not types) else []
    if "array" in types and depth < _DEEPEST:
        element = _demanded(declared.elements(), own, chosen, value, write_key, depth + 1)
        forms += [f"{{type: array, items: {element}}}"] if element else []
    inner = _members(declared, chosen, value, write_key, depth + 1)
    forms += [f"{{type: object, {inner}}}"] if inner else []
    if not forms:
        return own if types & {"array", "object"} else ""
    return forms[0] if len(forms) == 1 else f"{{anyOf: [{', '.join(forms)}]}}"


def _names(declared: _Declared, chosen: Chosen, depth: int) -> Iterator[str]:
    parts = declared.properties() if depth < _DEEPEST else {}
    yield from (name for name in parts if chosen(name))
    for part in parts.values():
        yield from _names(part, chosen, depth + 1)
        yield from _names(part.elements(), chosen, depth + 1)
