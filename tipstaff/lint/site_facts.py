"""The facts of a site that its Rego may refer to: servers, tools, their arguments, callers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from tipstaff.survey.classify.declared import Declared, declared


class SiteFacts(Struct, frozen=True):
    """`servers`: every server that is configured or has rules. `catalogue`: the tools of those that are known.

    `others` are resources and prompts that rules name. `without_claims`: servers that accept callers who
    have no claims, and the words of `accept` that let them in.
    """

    servers: frozenset[str]
    catalogue: Mapping[str, Any]
    others: frozenset[str] = frozenset()
    without_claims: Mapping[str, tuple[str, ...]] = {}

    def tools(self, servers: Iterable[str]) -> frozenset[str] | None:
        """The names of all tools of `servers`; `None` when those of one are not known, or there is none."""
        names: set[str] = set()
        listed = tuple(servers)
        for server in listed:
            if server not in self.catalogue:
                return None
            names.update(self.catalogue[server].get("tools", {}))
        return frozenset(names) if listed else None

    def schemas(
        self, servers: Iterable[str], tools: Iterable[str]
    ) -> Iterator[tuple[str, Declared]]:
        """Each of `tools` on `servers` with what it declares of its arguments."""
        names = set(tools)
        for server in servers:
            for name, entry in self.catalogue.get(server, {}).get("tools", {}).items():
                if name in names:
                    yield name, declared(entry.get("definition", {}).get("inputSchema"))
