"""Compares a rule's schema with the one that the tool itself declares. Pure.

What names an argument that the tool does not have checks nothing, and a type that the tool never takes
refuses every call. A part of the rule's schema that has no counterpart in the tool's is only looked at
for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, structs

from pdp.rules.yaml_lines import Path
from tipstaff.common.did_you_mean import nearest
from tipstaff.lint.patterns import loose_end, way_out
from tipstaff.survey.classify.declared import Declared, type_of

# What says something of values of one type only.
_ABOUT = {
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"),
    "object": ("properties", "required", "propertyNames", "minProperties", "maxProperties"),
}
_SAME_PLACE = ("then", "else")
_SAME_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("if", "not")
_ELEMENTS = ("items", "contains")
_REMARKS = frozenset(
    "title description default examples deprecated readOnly writeOnly $comment".split()
)


class Place(Struct, frozen=True):
    """A part of a rule's schema: where it stands, what the tool declares of it, and what is required.

    `name` is the argument's, for sentences. Within a condition (`if`, `not`) the opposite may be meant.
    """

    path: Path
    declared: Declared | None
    tool: str
    name: str = ""
    required: frozenset[str] = frozenset()
    in_condition: bool = False


def cautions(schema: Any, place: Place) -> Iterator[tuple[Path, str]]:
    """The warnings about `schema` and all its parts, with their places."""
    if not isinstance(schema, dict):
        return
    place = _requiring(schema, place)
    yield from _names(schema, place)
    yield from _values(schema, place)
    if not place.in_condition:
        yield from _patterns(schema, place)
        yield from _left_out(schema, place)
    for inner, inside in _parts(schema, place):
        yield from cautions(inner, inside)


def _requiring(schema: Mapping[str, Any], place: Place) -> Place:
    alike = [schema, *(part for part in _list(schema.get("allOf")) if isinstance(part, dict))]
    names = {
        name for part in alike for name in _list(part.get("required")) if isinstance(name, str)
    }
    return _with(place, required=place.required | names)


def _parts(schema: Mapping[str, Any], place: Place) -> Iterator[tuple[Any, Place]]:
    declared = place.declared
    known = declared.properties() if declared else {}
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        path = (*place.path, "properties", name)
        yield (
            inner,
            _with(place, path=path, declared=known.get(name), name=name, required=frozenset()),
        )
    elements = declared.elements() if declared else None
    for word in _ELEMENTS:
        path = (*place.path, word)
        yield schema.get(word), _with(place, path=path, declared=elements, required=frozenset())
    for index, inner in enumerate(_list(schema.get("prefixItems"))):
        path = (*place.path, "prefixItems", index)
        yield inner, _with(place, path=path, declared=elements, required=frozenset())
    for word in (*_SAME_PLACE, *_CONDITIONS):
        is_condition = place.in_condition or word in _CONDITIONS
        yield schema.get(word), _with(place, path=(*place.path, word), in_condition=is_condition)
    for word in _SAME_PLACE_LISTS:
        for index, inner in enumerate(_list(schema.get(word))):
            yield inner, _with(place, path=(*place.path, word, index))


def _names(schema: Mapping[str, Any], place: Place) -> Iterator[tuple[Path, str]]:
    """Arguments that the tool does not declare."""
    known = place.declared.names() if place.declared else None
    if known is None:
        return
    owner = f"`{place.name}` of {place.tool}" if place.name else place.tool
    listed = schema.get("properties")
    properties = listed if isinstance(listed, dict) else {}
    # What is forbidden need not be there: `false` is no constraint on a value.
    named: list[tuple[Path, Any]] = [
        (("properties", name), name) for name, inner in properties.items() if inner is not False
    ]
    required = enumerate(_list(schema.get("required")))
    named += [(("required", index), name) for index, name in required if name not in properties]
    for where, name in named:
        if isinstance(name, str) and name not in known:
            yield (*place.path, *where), f"{owner} has no argument `{name}`; {nearest(name, known)}"


def _values(schema: Mapping[str, Any], place: Place) -> Iterator[tuple[Path, str]]:
    """Warn of types and values that the tool does not take, and of keywords that do not apply to those it takes."""
    types = place.declared.types() if place.declared else set()
    if not place.declared or not types or not place.name:
        return
    own, word = _types(schema)
    listed = " or ".join(sorted(types))
    if own and not any(_alike(kind, other) for kind in own for other in types):
        says = f"the value is {' or '.join(sorted(own))}, so that no call can pass"
        yield (*place.path, word), f"`{place.name}` of {place.tool} is declared as {listed}; {says}"
        return
    for kind, words in _ABOUT.items():
        for useless in words:
            if useless in schema and not any(_alike(kind, other_kind) for other_kind in types):
                says = f"`{useless}` says nothing of it"
                yield (
                    (*place.path, useless),
                    f"`{place.name}` of {place.tool} is declared as {listed}, and {says}",
                )
    values = place.declared.values()
    for where, value in _chosen(schema):
        if values is not None and value not in values:
            hint = nearest(str(value), map(str, values))
            yield (
                (*place.path, *where),
                f"`{place.name}` of {place.tool} is never `{value}`; {hint}",
            )


def _types(schema: Mapping[str, Any]) -> tuple[set[str], str]:
    """The types that the schema demands, and the word that says so."""
    if "type" in schema:
        own = schema["type"]
        return {str(kind) for kind in (own if isinstance(own, list) else [own])}, "type"
    word = "const" if "const" in schema else "enum"
    return {type_of(value) for _, value in _chosen(schema)}, word


def _chosen(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    if "const" in schema:
        yield ("const",), schema["const"]
    for index, value in enumerate(_list(schema.get("enum"))):
        yield ("enum", index), value


def _alike(kind: str, other: str) -> bool:
    return kind == other or {kind, other} == {"integer", "number"}


def _patterns(schema: Mapping[str, Any], place: Place) -> Iterator[tuple[Path, str]]:
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return
    path, anchor, way = (*place.path, "pattern"), loose_end(pattern), way_out(dict(schema))
    example = f", and `{way}` meets it" if way else ""
    if anchor:
        end = "begin with ^" if anchor == "^" else "end with $"
        place_of = "before" if anchor == "^" else "behind"
        yield (
            path,
            f"the pattern does not {end}, so that anything may stand {place_of} it{example}",
        )
    elif way:
        yield path, f"`{way}` meets the pattern: let no segment begin with a dot"


def _left_out(schema: Mapping[str, Any], place: Place) -> Iterator[tuple[Path, str]]:
    """Warn of arguments that are constrained and not required."""
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        constrains = isinstance(inner, dict) and not _REMARKS.issuperset(inner)
        if constrains and name not in place.required:
            path = (*place.path, "properties", name)
            yield (
                path,
                f"a call without `{name}` passes; write `required: [{name}]` beside properties",
            )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _with(place: Place, **changes: Any) -> Place:
    return structs.replace(place, **changes)
