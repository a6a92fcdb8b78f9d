"""The pages, as HTML. Pure: what is known comes in, and the time.

A page that asks for an answer carries the digest of what it shows, so that an answer to another call counts
for nothing. Refuse comes first and Grant last, far apart, and nothing is chosen beforehand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from tipstaff.console.views.forms import Frame, forms
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.shell import shell, table
from tipstaff.console.views.tree import tree
from tipstaff.console.views.words import PENDING, left, moment, state

_MEANS = MappingProxyType(
    {
        "pending": "waits for an answer",
        "granted": "may be made, and has not been made yet",
        "refused": "somebody said no",
        "expired": "nobody answered in time",
        "withdrawn": "the question was taken back",
        "used": "the call went to the server",
        "lapsed": "granted, and not made in time",
        "void": "the grant was taken back, or the rules say something else now",
        "unknown": "the call went to the server, whose answer was lost: nobody knows what it did",
    }
)


def inbox(frame: Frame, calls: Sequence[Any], pending: int) -> bytes:
    """Approvals: what waits, then what was."""
    waiting = [call for call in calls if state(call) == PENDING]
    others = [call for call in calls if state(call) != PENDING]
    count = f"{pending} waiting" if pending else "Nothing waits"
    return shell(
        frame,
        "Approvals",
        tag("h1", "Approvals ", tag("span", count, class_="badge", aria_live="polite")),
        _table("Calls that wait for an answer", waiting, frame.now_ms)
        if waiting
        else tag(
            "p",
            "No call waits for an answer. A call waits when a rule says ",
            tag("code", "action: require_approval"), "; it appears here by itself.",
        ),
        tag("h2", "History"),
        _table("What was asked before, the newest first", others, frame.now_ms)
        if others
        else tag("p", "Nothing has ended yet."),
        path="/",
        live=f"list {_digest(calls)}",
    )  # fmt: skip


class Context(Struct, frozen=True):
    """What else is known of a held call: the marks of its tool, what became of others of the same tool."""

    marks: Sequence[str] = ()
    earlier: Sequence[Any] = ()


def approval(frame: Frame, call: Any, context: Context, error: str = "", note: str = "") -> bytes:
    """One approval, whole; `error` is why an answer was not taken, `note` what was written with it."""
    word = state(call)
    return shell(
        frame,
        f"{call.server} {call.target}",
        tag("p", tag("a", "← Approvals", href="/")),
        tag("p", error, class_="error", role="alert") if error else None,
        tag("h1", f"{call.server} {call.target} ", _badge(word)),
        tag("p", f"{_MEANS.get(word, '')}{_until(call, frame.now_ms)}"),
        _facts(call, context.marks),
        tag("h2", "Arguments"),
        tag("div", tree(call.arguments_json), class_="arguments"),
        tag(
            "details",
            tag("summary", "As JSON, with the digest of what is approved"),
            tag("pre", call.arguments_json.decode("utf-8", "replace")),
            tag("p", tag("code", call.digest)),
        ),
        tag("h2", "Why, and on which terms"),
        tag("ul", [_rule(terms) for terms in call.terms]),
        tag("h2", "Answers"),
        tag("ul", [_answer(answer) for answer in call.answers])
        if call.answers
        else tag("p", "Nobody has answered yet."),
        _earlier(context.earlier, frame.now_ms),
        forms(frame, call, note),
        live=f"one {_digest([call])}",
    )


def _digest(calls: Sequence[Any]) -> str:
    """A word for what people see of these calls, by which a page finds out that it is old."""
    shown = [(call.id, call.state, len(call.answers), bool(call.waiting)) for call in calls]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _table(caption: str, calls: Sequence[Any], now_ms: int) -> Element:
    heads = ("State", "Call", "Risk", "Asked by", "Rule", "Ends")
    return table(caption, heads, [_row(call, now_ms) for call in calls])


def _row(call: Any, now_ms: int) -> Element:
    link = tag("a", f"{call.server} {call.target}", href=f"/a/{call.id}", id=call.id)
    waits = tag("span", " caller waits", class_="badge") if call.waiting else None
    return tag(
        "tr",
        tag("td", _badge(state(call))),
        tag("th", link, waits, scope="row"),
        tag("td", _risk(call)),
        tag("td", call.principal.id),
        tag("td", call.terms[0].rule if call.terms else ""),
        tag("td", left(call.ends_at_ms - now_ms) if call.ends_at_ms > now_ms else ""),
    )


def _earlier(calls: Sequence[Any], now_ms: int) -> Part:
    if not calls:
        return None
    return tag(
        "details",
        tag("summary", f"Other calls of this tool: {', '.join(state(call) for call in calls)}"),
        _table("Other calls of this tool, the newest first", calls, now_ms),
    )


def _facts(call: Any, marks: Sequence[str]) -> Element:
    client = f"{call.client.name} {call.client.version}".strip()
    rows: list[tuple[str, Part]] = [
        ("Risk", [_risk(call), f" {', '.join(marks)}" if marks else None]),
        ("Asked by", call.principal.id),
        ("Person behind", call.human or "nobody knows"),
        ("Client, by its own account", client or "it does not say"),
        ("Method", call.method),
        ("Callers that wait now", str(call.waiting)),
        ("Equal calls so far", str(call.joined)),
        ("Asked", moment(call.created_at_ms)),
        ("Takes from limits", [tag("div", _limit(limit)) for limit in call.limits] or "none"),
        ("Approval", tag("code", call.id)),
        ("Decision", tag("a", tag("code", call.decision_id), href=f"/d/{call.decision_id}")),
    ]
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in rows])


def _rule(terms: Any) -> Element:
    number = f"{terms.count} {'person' if terms.count == 1 else 'people'}"
    people = f"{number} of {', '.join(terms.approvers) or 'those who may answer'}"
    own = "not the person behind the caller" if terms.not_self else "the caller's own person too"
    return tag("li", tag("code", terms.rule), f": {terms.reason.message} Needs {people}; {own}.")


def _answer(answer: Any) -> Element:
    word = "yes" if answer.is_grant else "no"
    own = ", whose own agent it is" if answer.is_self else ""
    note = f": {answer.note}" if answer.note else ""
    return tag("li", f"{word} by {answer.by} ({answer.method}), {moment(answer.at_ms)}{own}{note}")


def _risk(call: Any) -> Element:
    if not (call.risk or call.category):
        return tag("span", "not in the catalogue", class_="badge")
    bad = " bad" if call.risk in {"high", "critical"} else ""
    return tag("span", f"{call.risk} {call.category}", class_=f"badge{bad}")


def _limit(limit: Any) -> str:
    return f"{limit.name}: {limit.cost} of {limit.max} in {limit.window_seconds} s"


def _badge(word: str) -> Element:
    return tag("span", word, class_=f"badge state-{word}")


def _until(call: Any, now_ms: int) -> str:
    if not call.ends_at_ms or call.ends_at_ms <= now_ms:
        return ""
    return f", for another {left(call.ends_at_ms - now_ms)}"
