"""What is known of each tool, from `data.catalog`. Pure.

The decision service, not the caller, says what a tool is: its category and risk reach the rules as
`input.tool`, its pinned annotations as `input.annotations`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

_FIELDS: tuple[tuple[str, Any], ...] = (
    ("category", ""),
    ("risk", ""),
    ("confidence", 0),
    ("pinned", False),
    ("changed", False),
)


class Tool(Struct, frozen=True):
    """One tool as rules see it: JSON ready to be spliced into the policy input."""

    facts: Raw
    annotations: Raw
    input_schema: bytes | None = None


def _facts(entry: Mapping[str, Any]) -> Raw:
    return Raw(msgspec.json.encode({key: entry.get(key, absent) for key, absent in _FIELDS}))


UNKNOWN = Tool(_facts({}), Raw(b"{}"))


class Catalogue:
    """Looks tools up by server and name; a tool that is not listed is `UNKNOWN`."""

    def __init__(self, servers: Mapping[str, Any] | None = None) -> None:
        """Take `data.catalog`: server name to `{"tools": {name: entry}}`."""
        self._tools = {
            (server, name): _tool(entry)
            for server, listing in (servers or {}).items()
            for name, entry in listing.get("tools", {}).items()
        }

    def tool(self, server: str, name: str) -> Tool:
        """The tool `name` of `server`."""
        return self._tools.get((server, name), UNKNOWN)


def _tool(entry: Mapping[str, Any]) -> Tool:
    schema = entry.get("input_schema")
    return Tool(
        facts=_facts(entry),
        annotations=Raw(msgspec.json.encode(entry.get("annotations") or {})),
        input_schema=None if schema is None else json.dumps(schema).encode(),
    )
