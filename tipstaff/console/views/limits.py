"""Limits: how much of each is used, and by whom. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tipstaff.console.history import History
from tipstaff.console.views.charts import shares
from tipstaff.console.views.forms import Frame, hidden
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.shell import badge, shell, table
from tipstaff.console.views.words import left

PATH = "/limits"
MOST_ROWS = 200
_OF_CALLERS = frozenset({"session", "principal"})


def limits(frame: Frame, reply: Any, history: History, message: str = "") -> bytes:
    """The page; `message` says what has just been done."""
    counters: Sequence[Any] = reply.counters
    heads: tuple[str, ...] = ("Limit", "Counts by", "Who", "Used", "Share", "Empty in")
    if frame.person.may_answer:
        heads = (*heads, "Reset")
    rows = [_row(frame, counter, history) for counter in counters[:MOST_ROWS]]
    more = len(counters) - len(rows)
    return shell(
        frame,
        "Limits",
        tag("h1", "Limits"),
        tag("p", message, role="status") if message else None,
        tag(
            "div",
            table("Limits in use, the fullest first", heads, rows) if rows else _none(),
            tag("p", "And more: `tipstaff limits list --name NAME` narrows the list.")
            if more > 0 or reply.truncated
            else None,
            id="live",
            data_every="5000",
        ),
        path=PATH,
    )


def _none() -> Element:
    return tag(
        "p",
        "No limit holds anything. A limit counts calls where a rule says so, for example ",
        tag("code", "rate_limit: {max: 10, window: 60}"), "; it appears here with its first call.",
    )  # fmt: skip


def _row(frame: Frame, counter: Any, history: History) -> Element:
    most = history.limit_max(counter.name, counter.scope, counter.window_seconds)
    words = _used(counter, most)
    bar = shares([(counter.used, _bar(counter.used, most))], most, words) if most else None
    return tag(
        "tr",
        tag("th", counter.name, badge("shadow") if counter.shadow else None, scope="row"),
        tag("td", counter.scope),
        tag("td", " ".join(counter.subject) or "everybody"),
        tag("td", words),
        tag("td", bar),
        tag("td", left(counter.free_in_ms)),
        tag("td", _reset(frame, counter)) if frame.person.may_answer else None,
    )


def _used(counter: Any, most: int) -> str:
    if counter.algorithm == "gcra":
        return f"{most} in {counter.window_seconds} s, evenly" if most else "counts time"
    if counter.algorithm == "concurrency":
        return f"{counter.used} of {most} at once" if most else f"{counter.used} at once"
    if most:
        return f"{counter.used} of {most} in {counter.window_seconds} s"
    return f"{counter.used} in {counter.window_seconds} s"


def _bar(used: int, most: int) -> str:
    return "bar-deny" if used >= most else "bar-used"


def _reset(frame: Frame, counter: Any) -> Part:
    """A button; of a caller's counter it names the caller, else the limit as a whole."""
    is_callers = counter.scope in _OF_CALLERS and counter.subject
    principal = counter.subject[0] if is_callers else ""
    session = counter.subject[-1] if counter.scope == "session" and is_callers else ""
    return tag(
        "form",
        hidden("token", frame.token),
        hidden("name", counter.name),
        hidden("principal", principal),
        hidden("session", session),
        tag(
            "button", "Reset" if is_callers else "Reset for all", type="submit",
            aria_label=f"Reset {counter.name} {' '.join(counter.subject)}".strip(),
        ),
        method="post", action="/limits/reset",
    )  # fmt: skip
