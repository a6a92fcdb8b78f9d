"""All that is found out about one server: each tool with its kind, its attacks and its signs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from pdp.api.definition import digest
from tipstaff.survey.alike import lookalikes
from tipstaff.survey.attacks import Applied, attacks_on
from tipstaff.survey.classify import classify_all
from tipstaff.survey.listing import Listing
from tipstaff.survey.model import Category, Classification, Definition, Risk, Sign
from tipstaff.survey.signs import signs

# A name that another server has too says nothing against a tool.
_HARMLESS = "same_name"


class Found(Struct, frozen=True):
    """One tool. `digest` is that of its definition (`pdp.api.definition`)."""

    name: str
    definition: Definition
    digest: str
    classification: Classification
    attacks: tuple[Applied, ...]
    signs: tuple[Sign, ...]


class Report(Struct, frozen=True):
    """One server. `source` is where it was asked: a URL, a command, a file."""

    server: str
    source: str
    listing: Listing
    tools: tuple[Found, ...]

    @property
    def worst(self) -> Risk:
        """The highest risk of a tool; low when there is none."""
        order = tuple(Risk)
        risks = (tool.classification.risk for tool in self.tools)
        return max(risks, key=order.index, default=Risk.LOW)

    @property
    def warnings(self) -> tuple[tuple[Found, Sign], ...]:
        """Every sign that speaks against a tool."""
        return tuple(
            (tool, sign) for tool in self.tools for sign in tool.signs if sign.kind != _HARMLESS
        )

    def counts(self) -> dict[Category, Counter[Risk]]:
        """How many tools of each category have which risk, the most dangerous category first."""
        found: dict[Category, Counter[Risk]] = {one: Counter() for one in reversed(Category)}
        for tool in self.tools:
            found[tool.classification.category][tool.classification.risk] += 1
        return found


def report(
    server: str,
    source: str,
    listing: Listing,
    others: Mapping[str, Collection[str]] | None = None,
) -> Report:
    """Look at what `server` lists. `others` are the names of the tools of other servers."""
    names = [str(tool["name"]) for tool in listing.tools]
    elsewhere = {name for tools in (others or {}).values() for name in tools}
    alike = lookalikes({**(others or {}), server: names}).get(server, {})
    found = classify_all(listing.tools)
    tools = tuple(
        Found(
            name=name,
            definition=tool,
            digest=digest(tool),
            classification=one,
            attacks=attacks_on(name, server, tool, one),
            signs=(*signs(tool, names, elsewhere), *([alike[name]] if name in alike else [])),
        )
        for name, tool, one in zip(names, listing.tools, found, strict=True)
    )
    return Report(server, source, listing, tools)


def as_json(one: Report) -> dict[str, Any]:
    """The report as plain data, definitions left out."""
    listing = one.listing
    return {
        "server": one.server,
        "source": one.source,
        "server_info": listing.server_info,
        "protocol": {"era": listing.era, "version": listing.version},
        "worst_risk": one.worst.value,
        "tools": [tool_as_json(tool) for tool in one.tools],
    }


def tool_as_json(tool: Found) -> dict[str, Any]:
    """One tool as plain data, its definition left out."""
    found: dict[str, Any] = msgspec.to_builtins(tool.classification)
    return {
        "name": tool.name,
        **found,
        "attacks": msgspec.to_builtins(tool.attacks),
        "signs": msgspec.to_builtins(tool.signs),
        "digest": tool.digest,
    }
