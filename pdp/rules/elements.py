"""The fields of each set's elements, and the problems of an element as written in a file. Pure.

A computed part is known only when the rule runs and is not checked here: an element that is then wrong
is a fault, and a fault denies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct, structs

from pdp.answer import Check, Limit
from pdp.approvals.terms import Terms
from pdp.rules.server_rules import schema_fault
from tipstaff.common.did_you_mean import nearest


class Finding(Struct):
    """An element that permits or hides a call."""

    code: str
    message: str
    rule: str = ""
    shadow: bool = False


class Demand(Finding):
    """An element that holds a call; `approval` are the terms on which it may be approved."""

    approval: Terms = Terms()


class Denial(Finding):
    """An element that denies a call; a `hidden` one hides its target as well."""

    hidden: bool = False


class Duty(Struct):
    """An element that adds an obligation to an allow. Its `type` determines its other members."""

    type: str


SETS: Mapping[str, type[Struct]] = MappingProxyType(
    {
        "deny": Denial,
        "hidden": Finding,
        "require_approval": Demand,
        "permit": Finding,
        "limit": Limit,
        "check": Check,
        "obligation": Duty,
    }
)
"""The sets that the library reads from a site's packages, and the fields of their elements."""

# The fields that the library fills in, and the fields that any element may carry for its readers.
_DEFAULTS = {"name": "site", "scope": "session", "rule": "site"}
_REMARKS = ("code", "message")
_NO_OBJECT = MappingProxyType(
    {
        "array": "an array",
        "arraycomprehension": "an array",
        "boolean": "a boolean",
        "null": "null",
        "number": "a number",
        "set": "a set",
        "setcomprehension": "a set",
        "string": "a string",
        "templatestring": "a string",
    }
)


class _Computed:
    """Stands for a value that is known only when the rule runs."""


COMPUTED = _Computed()


class Term(Struct, frozen=True):
    """A term of Rego's syntax, as `opa parse` gives it."""

    type: str
    value: Any = None


def example(name: str) -> str:
    """A sample element of the set `name`, for messages."""
    needed = [f'"{key}": …' for key in _needed(name)] or ['"schema": …']
    return f"{{{', '.join(needed)}}}"


def problems(name: str, term: Term) -> Iterator[str]:
    """The problems of `term` as an element of the set `name`."""
    if term.type in _NO_OBJECT:
        kind = _NO_OBJECT[term.type]
        yield f"an element of `{name}` is an object, not {kind}: write `{name} contains {example(name)}`"
    if term.type != "object":
        return
    members = {_key(key): _seen(value) for key, value in term.value}
    wrong = [*_wrong_keys(name, members), *_wrong_values(name, members)]
    yield from wrong or _wrong_together(name, members)


def _wrong_keys(name: str, members: Mapping[Any, Any]) -> Iterator[str]:
    if SETS[name] is not Duty:
        known = {*SETS[name].__struct_fields__, *_REMARKS}
        for key in members:
            if key is not COMPUTED and key not in known:
                hint = nearest(str(key), known)
                yield f"there is no key `{key}` in an element of `{name}`; {hint}"
    missing = [f"`{key}`" for key in _needed(name) if key not in members]
    if missing and COMPUTED not in members:
        yield f"an element of `{name}` needs {' and '.join(missing)}"


def _wrong_values(name: str, members: Mapping[Any, Any]) -> Iterator[str]:
    for field in structs.fields(SETS[name]):
        value = members.get(field.name, COMPUTED)
        if value is not COMPUTED and field.type is not Raw:
            try:
                msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                yield f"`{field.name}` in an element of `{name}`: {error}"


def _wrong_together(name: str, members: Mapping[Any, Any]) -> Iterator[str]:
    """Faults of members that are right each by itself and wrong together."""
    if COMPUTED in members:
        return
    if name == "check":
        if ("schema" in members) == ("schema_ref" in members):
            yield "an element of `check` needs either `schema` or `schema_ref`"
        schema = members.get("schema", COMPUTED)
        if schema is not COMPUTED and (fault := schema_fault(schema)):
            yield f"`schema` in an element of `check`: {fault[1]}"
    if name == "limit" and COMPUTED not in members.values():
        fields = {key: value for key, value in members.items() if key not in _REMARKS}
        try:
            msgspec.convert({**_DEFAULTS, **fields}, Limit)
        except msgspec.ValidationError as error:
            yield f"an element of `limit`: {error}"


def _needed(name: str) -> list[str]:
    fields = structs.fields(SETS[name])
    return [field.name for field in fields if field.required and field.name not in _DEFAULTS]


def _seen(term: Mapping[str, Any]) -> Any:
    """The value of a literal term, or `COMPUTED`."""
    kind, value = term["type"], term["value"]
    if kind in {"string", "number", "boolean"}:
        return value
    if kind == "null":
        return None
    if kind == "array":
        items = [_seen(item) for item in value]
        return COMPUTED if COMPUTED in items else items
    if kind == "object":
        members = {_key(key): _seen(inner) for key, inner in value}
        return COMPUTED if COMPUTED in (*members, *members.values()) else members
    return COMPUTED


def _key(term: Mapping[str, Any]) -> Any:
    return term["value"] if term["type"] == "string" else COMPUTED
