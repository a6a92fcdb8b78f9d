"""The catalogue of tools, from `catalog/<server>/data.json`. Pure.

The decision service, not the caller, determines what a tool is: its category and risk reach the rules as
`input.tool`, the annotations of its accepted definition as `input.annotations`. The members that only
people read (`PROSE`) are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, structs

from pdp.api import definition
from pdp.rules.input_reads import EVERYTHING, InputReads

PROSE = ("definition", "rationale", "evidence", "attacks", "signs")
# Files may be saved several times before OPA has activated the first of them.
_REVISIONS_KEPT = 8


class Pin(Struct, frozen=True):
    """An accepted definition: its digest (`pdp.api.definition`), and when it was accepted (RFC 3339).

    The same definition accepted again is another pin: sightings against the old pin are settled.
    """

    digest: str
    accepted: str = ""


class Facts(Struct, frozen=True):
    """The facts of a tool that rules see as `input.tool`; every member is always present."""

    category: str = ""
    risk: str = ""
    confidence: float = 0.0
    marks: tuple[str, ...] = ()
    pinned: bool = False
    changed: bool = False


class Tool(Struct, frozen=True):
    """One tool. `annotations` and `input_schema` are JSON text, as in the accepted definition."""

    facts: Facts
    annotations: Raw
    input_schema: bytes | None = None
    pin: Pin | None = None

    def as_changed(self) -> Tool:
        """The same tool, marked as changed since it was accepted."""
        return structs.replace(self, facts=structs.replace(self.facts, changed=True))


class _Entry(Struct):
    category: Literal["", "Read", "Write", "Execute", "Destructive", "Financial"] = ""
    risk: Literal["", "low", "medium", "high", "critical"] = ""
    confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    marks: tuple[str, ...] = ()
    digest: Annotated[str, Meta(pattern=f"^{definition.PATTERN}")] | UnsetType = UNSET
    accepted: str = ""
    definition: dict[str, Any] = {}


UNKNOWN = Tool(Facts(), Raw(b"{}"))


class Catalogue:
    """Looks tools up by server and name; a tool that is not listed is `UNKNOWN`.

    `reads` is what the rules of the same revision read of their `input`.
    """

    def __init__(
        self, servers: Mapping[str, Any] | None = None, reads: InputReads = EVERYTHING
    ) -> None:
        """`servers` maps a server's name to `{"tools": {name: entry}}`; raises `ValueError`."""
        self.reads = reads
        self._tools = {
            (server, name): _tool(entry)
            for server, listing in (servers or {}).items()
            for name, entry in listing.get("tools", {}).items()
        }

    def tool(self, server: str, name: str) -> Tool:
        """The tool `name` of `server`."""
        return self._tools.get((server, name), UNKNOWN)

    def tools(self, server: str = "") -> Iterator[tuple[str, str, Tool]]:
        """Server, name and tool of every tool, or of those of one server."""
        for (owner, name), tool in self._tools.items():
            if server in {"", owner}:
                yield owner, name, tool


class Catalogues:
    """The catalogue of each revision of the policy that may still answer.

    A revision is added before OPA can load it, and in force once OPA reports it as active; in between,
    the old or the new revision may answer.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._by_revision: dict[str, Catalogue] = {}
        self._newest: tuple[Mapping[str, Any], Catalogue] = {}, Catalogue()
        self.revision = ""
        self.in_force = Catalogue()

    def add(
        self, revision: str, servers: Mapping[str, Any], reads: InputReads = EVERYTHING
    ) -> None:
        """Keep the catalogue of `revision`; raises `ValueError`. An equal one is shared."""
        known, catalogue = self._by_revision.pop(revision, None), self._newest[1]
        if known is not None:
            catalogue = known
        elif servers != self._newest[0] or reads != catalogue.reads:
            catalogue = Catalogue(servers, reads)
        self._newest = servers, catalogue
        self._by_revision[revision] = catalogue
        while len(self._by_revision) > _REVISIONS_KEPT:
            oldest = next(known for known in self._by_revision if known != self.revision)
            del self._by_revision[oldest]

    def put_in_force(self, revision: str) -> None:
        """Make `revision`, which was added before, the one in force."""
        self.in_force = self._by_revision[revision]
        self.revision = revision

    def of(self, revision: str) -> Catalogue | None:
        """The catalogue of `revision`; `None` for one that is not known, or no longer."""
        return self._by_revision.get(revision)


def without_prose(listing: Mapping[str, Any]) -> dict[str, Any]:
    """A server's part of the catalogue as rules may see it, as `data.catalog`; raises `ValueError`.

    The prose would cost OPA twenty times the rest of it.
    """
    tools = {}
    for name, entry in listing["tools"].items():
        try:
            _tool(entry)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        tools[name] = {key: value for key, value in entry.items() if key not in PROSE}
    return {**listing, "tools": tools}


def _tool(entry: Any) -> Tool:
    known = msgspec.convert(entry, _Entry)
    listed = known.definition
    pin = None if known.digest is UNSET else Pin(known.digest, known.accepted)
    if pin is not None and listed and definition.digest(listed) != pin.digest:
        raise ValueError("its digest is not that of its definition, which was accepted")
    claims, schema = listed.get("annotations"), listed.get("inputSchema")
    return Tool(
        facts=Facts(known.category, known.risk, known.confidence, known.marks, pin is not None),
        annotations=Raw(msgspec.json.encode(claims if isinstance(claims, dict) else {})),
        input_schema=None if schema is None else json.dumps(schema).encode(),
        pin=pin,
    )
