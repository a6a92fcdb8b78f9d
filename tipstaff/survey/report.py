"""All that is found out about one server: each tool with its kind, its attacks and its signs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from pdp.api.definition import digest
from tipstaff.survey.asking.listing import Listing
from tipstaff.survey.classify.attacks import Applied, attacks_on
from tipstaff.survey.classify.classify import classify_all
from tipstaff.survey.model import Category, Classification, Definition, Risk, Sign
from tipstaff.survey.poisoning.lookalikes import lookalikes
from tipstaff.survey.poisoning.poisoned import raised, warnings
from tipstaff.survey.poisoning.signs import signs

_RISKS, _CATEGORIES = tuple(Risk), tuple(Category)


class SurveyedTool(Struct, frozen=True):
    """One tool. `digest` is that of its definition (`pdp.api.definition`).

    A warning sign raises the risk of `classification`.
    """

    name: str
    definition: Definition
    digest: str
    classification: Classification
    attacks: tuple[Applied, ...]
    signs: tuple[Sign, ...]

    @property
    def warnings(self) -> tuple[Sign, ...]:
        """The signs that speak against the tool."""
        return warnings(self.signs)


class Report(Struct, frozen=True):
    """One server. `source` is where it was asked: a URL, a command, a file."""

    server: str
    source: str
    listing: Listing
    tools: tuple[SurveyedTool, ...]

    @property
    def worst(self) -> Risk:
        """The highest risk of a tool; low when there is none."""
        risks = (tool.classification.risk for tool in self.tools)
        return max(risks, key=_RISKS.index, default=Risk.LOW)

    @property
    def warnings(self) -> tuple[tuple[SurveyedTool, Sign], ...]:
        """Every sign that speaks against a tool, the worst tool first."""
        return tuple((tool, sign) for tool in worst_first(self.tools) for sign in tool.warnings)

    def counts(self) -> dict[Category, Counter[Risk]]:
        """How many tools of each category have which risk, the most dangerous category first."""
        counts: dict[Category, Counter[Risk]] = {
            category: Counter() for category in reversed(Category)
        }
        for tool in self.tools:
            counts[tool.classification.category][tool.classification.risk] += 1
        return counts


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
    classifications = classify_all(listing.tools)

    def looked_at(name: str, tool: Definition, kind: Classification) -> SurveyedTool:
        tool_signs = (*signs(tool, names, elsewhere), *([alike[name]] if name in alike else []))
        attacks = attacks_on(name, server, tool, kind)
        return SurveyedTool(name, tool, digest(tool), raised(kind, tool_signs), attacks, tool_signs)

    tools = tuple(map(looked_at, names, listing.tools, classifications))
    return Report(server, source, listing, tools)


def worst_first(tools: Iterable[SurveyedTool]) -> list[SurveyedTool]:
    """Those with warning signs, then by risk, then by category, then as the server lists them."""
    return sorted(tools, key=_danger, reverse=True)


def _danger(tool: SurveyedTool) -> tuple[bool, int, int]:
    classification = tool.classification
    return (
        bool(tool.warnings),
        _RISKS.index(classification.risk),
        _CATEGORIES.index(classification.category),
    )


def as_json(server_report: Report) -> dict[str, Any]:
    """The report as plain data, the worst tool first, definitions left out."""
    listing = server_report.listing
    return {
        "server": server_report.server,
        "source": server_report.source,
        "server_info": listing.server_info,
        "protocol": {"era": listing.era, "version": listing.version},
        "worst_risk": server_report.worst.value,
        "tools": [tool_as_json(tool) for tool in worst_first(server_report.tools)],
    }


def tool_as_json(tool: SurveyedTool) -> dict[str, Any]:
    """One tool as plain data, its definition left out."""
    classification: dict[str, Any] = msgspec.to_builtins(tool.classification)
    return {
        "name": tool.name,
        **classification,
        "attacks": msgspec.to_builtins(tool.attacks),
        "signs": msgspec.to_builtins(tool.signs),
        "digest": tool.digest,
    }
