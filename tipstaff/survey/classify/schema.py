"""Looks into a JSON Schema that somebody else wrote: it may be anything at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_DEEPEST = 6


def properties(schema: Any, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property of `schema` by name, the nested ones too, outermost first."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return
    inner = schema.get("properties")
    for name, about in inner.items() if isinstance(inner, dict) else ():
        if isinstance(about, dict):
            yield str(name), about
            yield from properties(about, depth + 1)
    for key in ("items", "additionalProperties"):
        yield from properties(schema.get(key), depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        for part in _list(schema.get(key)):
            yield from properties(part, depth + 1)


def choices(about: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that a property may be, where its schema says which."""
    values = [*_list(about.get("enum")), about.get("const")]
    for form in (*_list(about.get("anyOf")), *_list(about.get("oneOf"))):
        if isinstance(form, dict):
            values += [*_list(form.get("enum")), form.get("const")]
    return tuple(value for value in values if isinstance(value, str))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
