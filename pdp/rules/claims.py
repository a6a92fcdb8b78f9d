"""Finds the caller's claims that rules read, in the rules' syntax trees. Pure.

A record holds these claims and no others: without a claim that a rule has read, the decision could not
be repeated; a claim that no rule reads is needless personal data. In doubt all claims are kept: a
reference to `input` counts as a read of everything below it, unless literal names lead it to another
member. The target of `with` is not a read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

# `None`: all, because a rule reads them as a whole, or because it is not known what rules read.
ClaimsRead: TypeAlias = frozenset[str] | None

# A query for the syntax trees of the modules in `input`, by their names.
SYNTAX_QUERY = "{name: rego.parse_module(name, text) | some name, text in input}"

_Path: TypeAlias = tuple[str, ...]
_CLAIMS = ("principal", "claims")
_INPUT = {"type": "var", "value": "input"}


def claims_read(modules: Iterable[Mapping[str, Any]]) -> ClaimsRead:
    """The names of the claims that `modules`, the syntax trees of `rego.parse_module`, read."""
    names = set()
    for module in modules:
        knows_get = not _redefines_object(module)
        for path in _reads(module, knows_get=knows_get):
            if path[:2] != _CLAIMS[: len(path)]:
                continue
            if len(path) < 3:
                return None
            names.add(path[2])
    return frozenset(names)


@lru_cache(maxsize=256)
def kept(claims: bytes, read: ClaimsRead) -> tuple[bytes, bool]:
    """The members of `claims`, a JSON object, that rules read; and whether these are all."""
    if read is None:
        return claims, True
    members = msgspec.json.decode(claims, type=dict[str, Raw])
    of_use = {name: value for name, value in members.items() if name in read}
    is_whole = len(of_use) == len(members)
    return (claims if is_whole else msgspec.json.encode(of_use)), is_whole


def _reads(node: Any, *, knows_get: bool) -> Iterator[_Path]:
    """The paths below `input` at which `node` reads; the empty path is the whole document."""
    read: _Path | None = None
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


def _path(term: Mapping[str, Any]) -> tuple[_Path | None, list[Any]]:
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


def _got(terms: list[Any]) -> _Path | None:
    """The path that `object.get(input…, "name" or ["a", "b"], default)` reads."""
    if len(terms) < 4 or _names(terms[0]) != ("object", "get"):
        return None
    path, rest = _path(terms[1])
    key = terms[2]
    keys = key["value"] if key.get("type") == "array" else [key]
    if path is None or rest or not all(name.get("type") == "string" for name in keys):
        return None
    return (*path, *(name["value"] for name in keys))


def _names(term: Any) -> _Path:
    parts = term.get("value") if isinstance(term, dict) and term.get("type") == "ref" else ()
    return tuple(part.get("value") for part in parts or ())


def _redefines_object(module: Mapping[str, Any]) -> bool:
    """Whether `object.get` may be something else here than the built-in function."""
    heads = [rule["head"].get("ref", [{}])[0].get("value") for rule in module.get("rules") or ()]
    imports = module.get("imports") or ()
    imported = [line.get("alias") or line["path"]["value"][-1].get("value") for line in imports]
    return "object" in {*heads, *imported}
