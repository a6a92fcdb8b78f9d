"""Validates arguments by JSON Schemas (2020-12), compiled once per schema text. Does no I/O.

OPA's own `json.match_schema` is not used: it is slow and silently ignores 2020-12 keywords, so that
a call could pass unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import jsonschema_rs
from msgspec import Struct

from pdp.answer import Check
from pdp.api import strict_json
from pdp.api.model import Effect, Reason, ShadowFinding

# The draft's own vocabularies: a keyword outside them is refused, because it would check nothing.
KEYWORDS = frozenset(
    """$schema $id $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs definitions
    prefixItems items contains additionalProperties properties patternProperties dependentSchemas
    propertyNames if then else allOf anyOf oneOf not unevaluatedItems unevaluatedProperties type
    const enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength
    pattern maxItems minItems uniqueItems maxContains minContains maxProperties minProperties
    required dependentRequired title description default deprecated readOnly writeOnly examples
    format contentEncoding contentMediaType contentSchema""".split()
)
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMAS = (
    "items contains additionalProperties propertyNames if then else not unevaluatedItems "
    "unevaluatedProperties contentSchema"
).split()


Place: TypeAlias = tuple[str | int, ...]
"""A path into a schema, key by key."""


class SchemaError(ValueError):
    """A schema that cannot be used, and where: not valid, an unknown keyword, a reference outside itself."""

    def __init__(self, message: str, place: Place = ()) -> None:
        """`message` names the place, too."""
        super().__init__(message)
        self.place = place


class CheckFailure(Struct, frozen=True):
    """A check that failed: a denial with `code`, decided by `rule`."""

    code: str
    rule: str
    message: str


def run(
    checks: Sequence[Check], arguments: bytes, declared: Callable[[], bytes | None]
) -> CheckFailure | None:
    """The first check that `arguments` (strict JSON) fail; `None` when they meet every one.

    `declared` gives the tool's own schema. Checks in shadow are skipped: see `watch`.
    """
    enforced = [check for check in checks if not check.shadow]
    return next(_failures(enforced, arguments, declared), None)


def watch(
    checks: Sequence[Check], arguments: bytes, declared: Callable[[], bytes | None]
) -> tuple[ShadowFinding, ...]:
    """The findings of checks in shadow that fail; parameters as for `run`."""
    watched = [check for check in checks if check.shadow]
    return tuple(
        ShadowFinding(Effect.DENY, Reason(failure.code, failure.message), failure.rule)
        for failure in _failures(watched, arguments, declared)
    )


def compile_schema(schema: Any, *, known_formats_only: bool = False) -> Any:
    """A validator for `schema` that fetches nothing and quotes no value; raises `SchemaError`."""
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=True,
            ignore_unknown_formats=not known_formats_only,
            offline=True,
            mask="the value",
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        message = str(error).partition("\n")[0]
        place = tuple(getattr(error, "instance_path", ()))
        if "registry" in message:  # how a reference out of the schema is refused
            place = _first(schema, lambda part: _refers_elsewhere(part.get("$ref"))) or place
            message = "a $ref can only lead to another place of the same schema"
        raise SchemaError(f"{_at(place)}{message}", place) from error


def unknown_keyword(schema: Any) -> tuple[Place, str] | None:
    """The place and name of the first keyword that is not 2020-12's, or `None`."""
    for place, part in _parts(schema, ()):
        for key in part:
            if key not in KEYWORDS:
                return place, key
    return None


def _at(place: Place) -> str:
    """A place in the schema, as the beginning of a message."""
    return f"{'.'.join(map(str, place))}: " if place else ""


def _first(schema: Any, holds: Callable[[dict[str, Any]], bool]) -> Place | None:
    return next((place for place, part in _parts(schema, ()) if holds(part)), None)


def _refers_elsewhere(reference: Any) -> bool:
    return isinstance(reference, str) and not reference.startswith("#")


def _parts(schema: Any, place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The schema and every schema within it, each with its place."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for key in _SCHEMAS:
        yield from _parts(schema.get(key), (*place, key))
    for key in _SCHEMA_MAPS:
        children = schema.get(key)
        for name, child in children.items() if isinstance(children, dict) else ():
            yield from _parts(child, (*place, key, name))
    for key in _SCHEMA_LISTS:
        children = schema.get(key)
        for index, child in enumerate(children if isinstance(children, list) else ()):
            yield from _parts(child, (*place, key, index))


def _failures(
    checks: Sequence[Check], arguments: bytes, declared: Callable[[], bytes | None]
) -> Iterator[CheckFailure]:
    """The failures one by one; without checks the arguments are not read."""
    value = strict_json.read_proven(arguments) if checks else None
    for check in checks:
        failure = _run_one(check, value, declared)
        if failure is not None:
            yield failure


def _run_one(check: Check, value: Any, declared: Callable[[], bytes | None]) -> CheckFailure | None:
    text = declared() if check.schema_ref else bytes(check.schema)
    if not text:
        detail = "the tool's own input schema is not in the catalogue"
        return CheckFailure("arguments_invalid", check.rule, detail)
    try:
        validator = _compiled(text, declared=bool(check.schema_ref))
    except SchemaError as error:
        return CheckFailure("policy_invalid_result", check.rule, f"unusable schema: {error}")
    failure = next(validator.iter_errors(value), None)
    if failure is None:
        return None
    return CheckFailure("arguments_invalid", check.rule, _sentence(failure))


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    """A sentence with place and fault. The validator masks the value, which may be a secret."""
    where = ".".join(str(part) for part in error.instance_path)
    return f"argument {where}: {error.message}" if where else f"arguments: {error.message}"


@lru_cache(maxsize=4096)
def _compiled(text: bytes, *, declared: bool) -> Any:
    """The validator of a schema text; a keyword outside 2020-12 is an error in a rule, not in a tool's schema."""
    try:
        schema = json.loads(text)
        unknown = None if declared else unknown_keyword(schema)
    except (ValueError, RecursionError) as error:
        raise SchemaError("no JSON that can be read") from error
    if not isinstance(schema, (bool, dict)):
        raise SchemaError("neither an object nor a boolean")
    if unknown is not None:
        raise SchemaError(f"{_at(unknown[0])}unknown keyword {unknown[1]!r}")
    return compile_schema(schema, known_formats_only=not declared)
