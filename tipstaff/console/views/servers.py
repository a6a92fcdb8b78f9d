"""Servers and their tools: what they can do, whether they have changed, what was decided about them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tipstaff.console.history import HOURS, History, Selection, summed
from tipstaff.console.views.charts import columns
from tipstaff.console.views.forms import Frame
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.shell import badge, shell, table

PATH = "/servers"
MOST_ROWS = 300


def servers(
    frame: Frame, tools: Sequence[Any], history: History, server: str, now: datetime
) -> bytes:
    """The page; `server` narrows it to one."""
    shown = [tool for tool in tools if server in {"", tool.server}]
    shown.sort(key=lambda tool: not tool.changed)
    names = list(dict.fromkeys(tool.server for tool in tools))
    rules = _last_rules(history)
    heads = ("Tool", "What it can do", "Definition", "Last 24 hours", "Last rule")
    rows = [_row(tool, history, rules, now) for tool in shown[:MOST_ROWS]]
    return shell(
        frame,
        "Servers and tools",
        tag("h1", "Servers and tools"),
        _links(names, server),
        tag(
            "div",
            _changed_words(shown),
            table("Tools, those that have changed first", heads, rows) if rows else _none(server),
            _more(len(shown) - len(rows)),
            id="live",
            data_every="5000",
        ),
        path=PATH,
    )


def _links(names: Sequence[str], server: str) -> Part:
    if len(names) < 2:
        return None
    every = [("all", PATH, not server)] + [
        (name, f"{PATH}?{urlencode({'server': name})}", name == server) for name in names
    ]
    links = [
        tag("li", tag("a", name, href=href, aria_current="true" if is_here else None))
        for name, href, is_here in every
    ]
    return tag("nav", tag("ul", links, class_="row"), aria_label="Servers")


def _none(server: str) -> Element:
    if server:
        return tag("p", f"{server} has no tools in a catalogue: ", tag("code", f"tipstaff register {server}"), " makes one.")  # fmt: skip
    return tag("p", "No server has a catalogue yet: ", tag("code", "tipstaff register NAME"), " asks a server for its tools and makes one.")  # fmt: skip


def _changed_words(tools: Sequence[Any]) -> Part:
    count = sum(tool.changed for tool in tools)
    if not count:
        return None
    words = "One tool has" if count == 1 else f"{count} tools have"
    text = f"{words} another definition than the accepted one, and cannot be called until it is accepted."
    return tag("p", text, class_="error", role="status")


def _more(count: int) -> Part:
    return tag("p", f"And {count} more: choose a server.") if count > 0 else None


def _last_rules(history: History) -> Mapping[tuple[str, str], str]:
    rules: dict[tuple[str, str], str] = {}
    for decision in history.newest(Selection()):
        rules.setdefault((decision.server, decision.target), decision.rule)
    return rules


def _row(
    tool: Any, history: History, rules: Mapping[tuple[str, str], str], now: datetime
) -> Element:
    query = urlencode({"server": tool.server, "tool": tool.tool, "phase": "call"})
    link = tag("a", f"{tool.server} {tool.tool}", href=f"/decisions?{query}")
    return tag(
        "tr",
        tag("th", link, scope="row"),
        tag("td", _ability(tool)),
        tag("td", _definition(tool)),
        tag("td", _day(history, tool, now)),
        tag("td", rules.get((tool.server, tool.tool), "")),
    )


def _ability(tool: Any) -> Part:
    if not (tool.category or tool.risk):
        return "not known"
    bad = "bad" if tool.risk in {"high", "critical"} else ""
    marks = f" {', '.join(tool.marks)}" if tool.marks else None
    return [badge(f"{tool.risk} {tool.category}".strip(), bad), marks]


def _definition(tool: Any) -> Part:
    if tool.changed:
        query = urlencode({"server": tool.server, "tool": tool.tool})
        return [
            badge("changed", "bad"),
            " ",
            tag("a", "See what, and accept", href=f"/servers/change?{query}"),
        ]
    return "as accepted" if tool.pinned else "not pinned"


def _day(history: History, tool: Any, now: datetime) -> Part:
    hours = history.hours(tool.server, tool.tool)
    if not hours:
        return "no calls"
    last = int(now.timestamp()) // 3600
    counts = [hours.get(last - HOURS + 1 + number, (0, 0, 0)) for number in range(HOURS)]
    deny, hold, allow = summed(counts)
    words = f"{deny} denied, {hold} held, {allow} allowed"
    return [columns(counts, words), tag("div", words)]
