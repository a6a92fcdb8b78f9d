"""Decisions as they are made: those that were not allowed first, narrowed by what stands in the address. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from urllib.parse import quote

from msgspec import Struct

from tipstaff.console.history import Decision, History, Selection
from tipstaff.console.views.charts import columns
from tipstaff.console.views.forms import Frame
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.shell import badge, shell, table

PATH = "/decisions"
MOST_ROWS = 50
_TEXTS = MappingProxyType(
    {
        "server": "Server",
        "tool": "Tool, resource or prompt",
        "caller": "Caller",
        "session": "Session",
        "code": "Reason code",
        "rule": "Rule",
    }
)
_EFFECTS = (("", "all"), ("deny", "denied"), ("hold", "held"), ("allow", "allowed"))
_PHASES = (("call", "calls"), ("list", "entries kept from lists"), ("*", "both"))


class Group(Struct, frozen=True):
    """Decisions of one kind: the newest, and how many more there are."""

    decisions: Sequence[Decision]
    more: int


def parted(history: History, selection: Selection) -> tuple[Group, Group]:
    """What was not allowed, and what was, of a selection."""
    closed: list[Decision] = []
    allowed: list[Decision] = []
    for decision in history.newest(selection):
        (allowed if decision.effect == "allow" else closed).append(decision)
    return _part(closed), _part(allowed)


def decisions(frame: Frame, history: History, selection: Selection, now: datetime) -> bytes:
    """The page."""
    closed, allowed = parted(history, selection)
    return shell(
        frame,
        "Decisions",
        tag("h1", "Decisions"),
        tag(
            "p",
            tag("button", "Pause", type="button", id="pause", hidden=True),
            " New ones appear by themselves, except while somebody points at them.",
        ),
        _filters(selection),
        tag(
            "div",
            _summary(history, now),
            tag("h2", "Denied and held"),
            _rows("Calls that did not go through", closed),
            tag("h2", "Allowed"),
            _rows("Calls that went to the server", allowed),
            id="live",
            data_every="1000",
        ),
        path=PATH,
    )


def _part(decisions_: Sequence[Decision]) -> Group:
    shown = list(islice(decisions_, MOST_ROWS))
    return Group(shown, len(decisions_) - len(shown))


def _summary(history: History, now: datetime) -> Part:
    minutes = history.minutes(now)
    deny, hold, allow = (sum(three[index] for three in minutes) for index in range(3))
    words = f"Last hour: {deny} denied, {hold} held, {allow} allowed"
    rows = [
        _minute(len(minutes) - 1 - number, three)
        for number, three in enumerate(minutes)
        if any(three)
    ]
    heads = ("Minutes ago", "Denied", "Held", "Allowed")
    missed = f" {history.missed} records came too fast to be shown." if history.missed else ""
    return (
        columns(minutes, words),
        tag("p", f"{words}.{missed}"),
        tag("details", tag("summary", "As a table"), table("Decisions by minute", heads, rows))
        if rows
        else None,
    )


def _minute(ago: int, three: tuple[int, int, int]) -> Element:
    return tag("tr", tag("th", str(ago), scope="row"), [tag("td", str(count)) for count in three])


def _rows(caption: str, part: Group) -> Part:
    if not part.decisions:
        return tag("p", "None that is remembered. `tipstaff log` reads the whole journal.")
    return (
        decision_table(caption, part.decisions),
        tag("p", f"And {part.more} more: narrow the selection.") if part.more else None,
    )


def decision_table(caption: str, decisions_: Sequence[Decision]) -> Element:
    """Decisions, a row each."""
    heads = ("Time (UTC)", "Effect", "Call", "Caller", "Why", "Rule")
    return table(caption, heads, [_row(decision) for decision in decisions_])


def effect_badge(effect: str) -> Element:
    """The effect in a frame."""
    return badge(effect, f"effect-{effect}")


def clock(timestamp: str) -> str:
    """The time of the day of a timestamp, to the second."""
    return timestamp[11:19] or timestamp


def _row(decision: Decision) -> Element:
    call = f"{decision.server} {decision.target or decision.method}"
    link = tag("a", call, href=f"/d/{quote(decision.decision_id)}", id=decision.decision_id)
    shadow = badge("shadow") if decision.shadow else None
    return tag(
        "tr",
        tag("td", tag("time", clock(decision.timestamp), datetime=decision.timestamp)),
        tag("td", effect_badge(decision.effect), " ", shadow),
        tag("th", link, scope="row"),
        tag("td", decision.principal.id or "nobody knows"),
        tag("td", decision.reason.code),
        tag("td", decision.rule),
    )


def _filters(selection: Selection) -> Element:
    texts = [
        tag(
            "label", label, tag("input", name=name, value=getattr(selection, name), maxlength="200")
        )
        for name, label in _TEXTS.items()
    ]
    return tag(
        "details",
        tag("summary", "Select"),
        tag(
            "form",
            _choice("effect", "Effect", _EFFECTS, selection.effect),
            texts,
            _choice("phase", "What", _PHASES, selection.phase),
            tag("button", "Show", type="submit"),
            " ",
            tag("a", "Show all", href=PATH),
            tag("p", "A * stands for anything. The address holds the selection, and can be sent to others."),
            method="get", action=PATH, class_="filters",
        ),
        open=selection != Selection(),
    )  # fmt: skip


def _choice(name: str, label: str, choices: Sequence[tuple[str, str]], chosen: str) -> Element:
    options = [
        tag("option", text, value=value, selected=value == chosen) for value, text in choices
    ]
    return tag("label", label, tag("select", options, name=name))
