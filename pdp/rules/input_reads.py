"""Finds what rules read of their `input`, in the rules' syntax trees. Pure.

Only what rules read is sent to OPA, decides whether an answer is known already, and, of the caller's
claims, stands in a record. In doubt everything is read: a reference to `input` counts as a read of
everything below it, unless literal names lead it to another member. The target of `with` is not a read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct, structs

from pdp.rules.claims import ClaimsRead

InputPath: TypeAlias = tuple[str, ...]

# A query for the syntax trees of the modules in `input`, by their names.
SYNTAX_QUERY = "{name: rego.parse_module(name, text) | some name, text in input}"

_ARGUMENTS, _CLAIMS = ("arguments",), ("principal", "claims")
_INPUT = {"type": "var", "value": "input"}
# Members that differ from call to call, so that an answer that depends on them is never known already.
_OF_ONE_CALL = frozenset({"time", "request_id"})


class InputReads(Struct, frozen=True):
    """What the rules of one revision read of their `input`; `None` stands for everything.

    `members` are its members, `of_principal` those of `input.principal`; `arguments` and `claims` are the
    names of the arguments and of the caller's claims. `of_yaml` is what the library reads for the YAML rules, where
    that is less.
    """

    members: frozenset[str] | None = None
    of_principal: frozenset[str] | None = None
    arguments: frozenset[str] | None = None
    claims: ClaimsRead = None
    of_yaml: InputReads | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether another call can have the same answer: rules read neither the time nor the request's id."""
        return self.members is not None and not self.members & _OF_ONE_CALL


EVERYTHING = InputReads()


def input_reads(library: Iterable[InputPath], site: Iterable[InputPath] = ()) -> InputReads:
    """What is read, by the paths below `input` of all reads of the library and of the site."""
    known = {*library, *site}
    reads = InputReads(
        members=_names_below((), known),
        of_principal=_names_below(("principal",), known),
        arguments=_names_below(_ARGUMENTS, known),
        claims=_names_below(_CLAIMS, known),
    )
    if reads.members is None or known == set(library):
        return reads
    return structs.replace(reads, of_yaml=input_reads(library))


def paths_read(modules: Iterable[Mapping[str, Any]]) -> frozenset[InputPath]:
    """The paths below `input` that `modules`, the syntax trees of `rego.parse_module`, read."""
    return frozenset(
        path
        for module in modules
        for path in _reads(module, knows_get=not _redefines_object(module))
    )


def _names_below(place: InputPath, paths: Iterable[InputPath]) -> frozenset[str] | None:
    """The members of `place` that are read; `None` when one read is of `place` as a whole, or of more."""
    names = set()
    for path in paths:
        if path[: len(place)] != place[: len(path)]:
            continue
        if len(path) <= len(place):
            return None
        names.add(path[len(place)])
    return frozenset(names)


def _reads(node: Any, *, knows_get: bool) -> Iterator[InputPath]:
    """The paths below `input` at which `node` reads; the empty path is the whole document."""
    read: InputPath | None = None
    rest = node
    if isinstance(node, list):
        read = _got(node) if knows_get else None
        rest = node if read is None else node[2:]
    elif isinstance(node, dict):
        read, rest = _path(node)
        if set(node) == {"target", "value"}:  # `with TARGET as VALUE`
            rest = [_path(node["target"])[1], node["value"]]
    if read is not None:
        yield read
    if isinstance(rest, list):
        for item in rest:
            yield from _reads(item, knows_get=knows_get)


def _path(term: Mapping[str, Any]) -> tuple[InputPath | None, list[Any]]:
    """The path below `input` of a reference, as far as it is literal, and the nodes that remain to be searched."""
    parts = term.get("value")
    if term == _INPUT:
        return (), []
    if term.get("type") != "ref" or not isinstance(parts, list) or parts[0] != _INPUT:
        return None, list(term.values())
    names: list[str] = []
    for part in parts[1:]:
        if part.get("type") != "string":
            break
        names.append(part["value"])
    return tuple(names), parts[1 + len(names) :]


def _got(terms: list[Any]) -> InputPath | None:
    """The path that `object.get(input…, "name" or ["a", "b"], default)` reads."""
    if len(terms) < 4 or _names(terms[0]) != ("object", "get"):
        return None
    path, rest = _path(terms[1])
    key = terms[2]
    keys = key["value"] if key.get("type") == "array" else [key]
    if path is None or rest or not all(name.get("type") == "string" for name in keys):
        return None
    return (*path, *(name["value"] for name in keys))


def _names(term: Any) -> InputPath:
    parts = term.get("value") if isinstance(term, dict) and term.get("type") == "ref" else ()
    return tuple(part.get("value") for part in parts or ())


def _redefines_object(module: Mapping[str, Any]) -> bool:
    """Whether `object.get` may be something else here than the built-in function."""
    heads = [rule["head"].get("ref", [{}])[0].get("value") for rule in module.get("rules") or ()]
    imports = module.get("imports") or ()
    imported = [line.get("alias") or line["path"]["value"][-1].get("value") for line in imports]
    return "object" in {*heads, *imported}
