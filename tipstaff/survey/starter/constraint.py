"""The schema that a rule demands of a tool's dangerous arguments, as text to copy into the rule. Pure.

Every argument of the kind is in it, where the tool's own schema has it: of a move both ends, of a list
its elements, of an object what lies in it. All are required, because what is left out is checked by
nobody, and a tool that falls back on a default of its own falls back on what no rule has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tipstaff.survey.classify.declared import Declared, TooInvolvedError, declared

MOST = 6
"""Arguments in one schema that a person would still read."""

_DEEPEST = 6

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
        return _members(declared(schema), chosen, value, write_key, 0)
    except TooInvolvedError:
        return None


def chosen_names(schema: Any, chosen: Chosen) -> tuple[str, ...]:
    """The names of the chosen arguments, the outermost first, at most one more than `MOST`."""
    names: dict[str, None] = {}
    with suppress(TooInvolvedError):
        for name in _names(declared(schema), chosen, 0):
            names[name] = None
            if len(names) > MOST:
                break
    return tuple(names)


def _members(part: Declared, chosen: Chosen, value: str, write_key: WriteKey, depth: int) -> str:
    held = {}
    for name, inner in part.properties().items() if depth < _DEEPEST else ():
        demanded = _demanded(inner, value if chosen(name) else "", chosen, value, write_key, depth)
        if demanded:
            held[write_key(name)] = demanded
    if not held:
        return ""
    listed = ", ".join(f"{name}: {demanded}" for name, demanded in held.items())
    return f"properties: {{{listed}}}, required: [{', '.join(held)}]"


def _demanded(
    part: Declared, own: str, chosen: Chosen, value: str, write_key: WriteKey, depth: int
) -> str:
    """What an argument must be in each form that it may take; nothing when it carries no danger.

    `own` is what it must be itself, and `value` what the chosen ones within it must be.
    """
    types = part.types()
    forms = [own] if own and ("string" in types or not types) else []
    if "array" in types and depth < _DEEPEST:
        element = _demanded(part.elements(), own, chosen, value, write_key, depth + 1)
        forms += [f"{{type: array, items: {element}}}"] if element else []
    inner = _members(part, chosen, value, write_key, depth + 1)
    if own and not inner:  # which of its texts carries the danger is not told, so each may
        inner = _members(part, lambda _: True, value, write_key, depth + 1)
    forms += [f"{{type: object, {inner}}}"] if inner else []
    if not forms:
        return own if "object" in types and not part.properties() else ""
    return forms[0] if len(forms) == 1 else f"{{anyOf: [{', '.join(forms)}]}}"


def _names(part: Declared, chosen: Chosen, depth: int) -> Iterator[str]:
    parts = part.properties() if depth < _DEEPEST else {}
    yield from (name for name in parts if chosen(name))
    for inner in parts.values():
        yield from _names(inner, chosen, depth + 1)
        yield from _names(inner.elements(), chosen, depth + 1)
