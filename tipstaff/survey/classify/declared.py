"""The arguments that a tool's own schema declares: names, types and values, references followed. Pure.

The schema is a stranger's: it may be anything, and may lead into itself without an end. Whatever is not
said, or not understood, is open: nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_DEEPEST = 6
_MOST_PARTS = 2_000
_OF_A_CHOICE = ("anyOf", "oneOf", "allOf")
_TYPE_OF = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object",
    type(None): "null",
}  # fmt: skip


class TooInvolvedError(Exception):
    """A schema refers to itself so often that nobody could follow."""


def declared(schema: Any) -> Declared:
    """The whole of a tool's schema."""
    return Declared(schema, schema, _Parts())


def type_of(value: Any) -> str:
    """The JSON type of a value that was read from JSON or YAML."""
    return _TYPE_OF[type(value)]


class _Parts:
    """Counts the parts of a schema that were looked at."""

    def __init__(self) -> None:
        self.seen = 0

    def count(self) -> None:
        self.seen += 1
        if self.seen > _MOST_PARTS:
            raise TooInvolvedError


class Declared:
    """A part of a schema, together with the whole that its references lead into.

    Its methods raise `TooInvolvedError` once too many parts of the whole were looked at.
    """

    def __init__(self, part: Any, whole: Any, parts: _Parts) -> None:
        parts.count()
        self._whole, self._parts = whole, parts
        self.part = self._resolved(part)

    def properties(self) -> dict[str, Declared]:
        """Every argument that the schema names."""
        listed: dict[str, Declared] = {}
        for form in self._forms():
            own = form.get("properties")
            for name, part in own.items() if isinstance(own, dict) else ():
                if isinstance(part, dict) and name not in listed:
                    listed[str(name)] = self._inside(part)
        return listed

    def names(self) -> tuple[str, ...] | None:
        """The names of its arguments; `None` when there may be others: it says so, or names none."""
        forms = list(self._forms())
        others = [form.get("additionalProperties") for form in forms]
        is_open = any("patternProperties" in form or "$ref" in form for form in forms)
        if is_open or any(other is True or (isinstance(other, dict) and other) for other in others):
            return None
        is_told = any(
            "properties" in form or form.get("additionalProperties") is False for form in forms
        )
        return tuple(self.properties()) if is_told else None

    def types(self) -> set[str]:
        """The types that the value may have; empty for any."""
        own = self.part.get("type", [])
        listed = {
            kind for kind in (own if isinstance(own, list) else [own]) if isinstance(kind, str)
        }
        if listed:
            return listed
        if values := self.values():
            return {type_of(value) for value in values}
        for word in _OF_A_CHOICE:
            forms = self.part.get(word)
            each = [self._inside(form).types() for form in forms] if isinstance(forms, list) else []
            if each and (all(each) or word == "allOf"):
                return set().union(*each)
        return set()

    def values(self) -> tuple[Any, ...] | None:
        """The only values that are allowed; `None` when there may be others."""
        listed = self.part.get("enum")
        return tuple(listed) if isinstance(listed, list) and listed else None

    def elements(self) -> Declared:
        """The schema of each element of a list."""
        return self._inside(next((form["items"] for form in self._forms() if "items" in form), {}))

    def _forms(self) -> Iterator[Mapping[str, Any]]:
        """The schema itself, and its alternatives."""
        yield self.part
        for word in _OF_A_CHOICE:
            listed = self.part.get(word)
            for form in listed if isinstance(listed, list) else ():
                yield self._inside(form).part

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

    def _inside(self, part: Any) -> Declared:
        return Declared(part, self._whole, self._parts)
