"""An approval as the person reads it who answers for the call: everything that is approved. Pure.

What the call does stands first, then why people are asked and on which terms, then what has happened so
far. Every text of a caller or a server is shown by `exact`, and none is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from rich.text import Text

from pdp.api.limit_text import whose
from pdp.api.v1 import approvals_pb2
from tipstaff.cli.operate.argument_tree import folded, tree
from tipstaff.cli.operate.durations import words
from tipstaff.common.visible_text import exact

_LABEL = 11
_MARGIN = 2
_PREFIX = "APPROVAL_STATE_"
STATE_STYLE = MappingProxyType(
    {
        "pending": "bold yellow",
        "granted": "bold green",
        "used": "green",
        "refused": "bold red",
        "unknown": "bold red",
    }
)
_STATES = MappingProxyType(
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
_RISK_STYLE = MappingProxyType({"high": "bold red", "critical": "bold white on red"})
_NOTES = MappingProxyType(
    {"on_refuse": "a no needs a note", "always": "an answer needs a note", "optional": ""}
)


def state_of(call: Any) -> str:
    """The state as a word: `pending`."""
    name: str = approvals_pb2.ApprovalState.Name(call.state)
    return name.removeprefix(_PREFIX).lower()


def view(call: Any, now_ms: int, width: int | None = None) -> Iterator[Text]:
    """The lines about `call`, a `HeldCall`, at a time in milliseconds, at most `width` columns wide."""
    state = state_of(call)
    style = STATE_STYLE.get(state, "bold")
    yield Text.assemble(
        (exact(call.id), "bold"), "  ", (state, style), f": {_STATES.get(state, '')}"
    )
    for label, value, value_style in _facts(call, now_ms):
        yield from _row(label, value, width, value_style)
    yield Text(f"{' ' * _MARGIN}arguments", "dim")
    yield from tree(call.arguments_json.decode("utf-8", "replace"), 2 * _MARGIN, width)
    for label, value in _reasons(call):
        yield from _row(label, value, width)
    for label, value in _course(call, now_ms):
        yield from _row(label, value, width)


def ending(call: Any, now_ms: int) -> str:
    """When the present state ends by itself and what that means, "" when it does not."""
    if not call.ends_at_ms:
        return ""
    left, at = words((call.ends_at_ms - now_ms) / 1000), _moment(call.ends_at_ms)
    state = state_of(call)
    if state == "pending":
        return f"in {left} ({at}): unanswered by then, it expires"
    if state == "granted" and call.is_standing:
        return f"in {left} ({at}): equal calls pass until then"
    if state == "granted":
        return f"in {left} ({at}): not made by then, the call needs a new answer"
    if state == "refused":
        return f"in {left} ({at}): until then equal calls are refused, and nobody is asked"
    return ""


def terms(term: Any) -> str:
    """The terms of one rule, as a sentence."""
    who = " or ".join(map(exact, term.approvers)) or "anybody who may answer"
    count = "one person" if term.count <= 1 else f"{term.count} different people"
    parts = [f"{count} must say yes: {who}"]
    parts += ["not the person behind the caller"] if term.not_self else ["also the caller's own"]
    parts.append(f"then the call must be made within {words(term.use_within)}")
    if term.standing_max:
        same = ", ".join(map(exact, term.standing_match)) or "all arguments"
        parts.append(f"a yes may stand for {words(term.standing_max)} for calls equal in {same}")
    if needs := _NOTES.get(term.note, ""):
        parts.append(needs)
    return "; ".join(parts)


def needs_note(call: Any, *, is_grant: bool) -> bool:
    """Whether an answer to `call` counts only with a note."""
    demands = {term.note for term in call.terms}
    return "always" in demands or ("on_refuse" in demands and not is_grant)


def _facts(call: Any, now_ms: int) -> Iterator[tuple[str, str, str]]:
    """What the call is and who makes it: label, text and style."""
    yield "tool" if call.method == "tools/call" else "target", exact(call.target), "bold"
    if call.method != "tools/call":
        yield "method", exact(call.method), ""
    yield "server", exact(call.server), ""
    if call.risk or call.category:
        sure = f", {call.confidence:.0%} sure" if call.confidence else ""
        risk = f"{exact(call.risk or 'unknown')} ({exact(call.category)}{sure})"
        yield "risk", risk, _RISK_STYLE.get(call.risk, "")
    else:
        yield "risk", "unknown: the tool is not in the catalogue", ""
    yield "caller", exact(call.principal.id), "cyan"
    yield "for", exact(call.human) or "nobody knows which person is behind the caller", ""
    client = " ".join(part for part in (call.client.name, call.client.version) if part)
    if client:
        yield "client", f"{exact(client)} (by its own account)", ""
    yield "asked", f"{_moment(call.created_at_ms)}, {_ago(call.created_at_ms, now_ms)}", ""


def _reasons(call: Any) -> Iterator[tuple[str, str]]:
    """Why people are asked, on which terms, and what the call will take."""
    for term in call.terms:
        yield "rule", f"{exact(term.rule)}: {exact(term.reason.message)}"
        yield "terms", terms(term)
    for limit in call.limits:
        window = f"{limit.max} in {words(limit.window_seconds)}"
        span = window if limit.window_seconds else f"{limit.max} at a time"
        yield "limit", f"{exact(limit.name)}: takes {limit.cost} of {span} {whose(limit.scope, '')}"


def _course(call: Any, now_ms: int) -> Iterator[tuple[str, str]]:
    """What has happened so far, and when it ends."""
    for answer in call.answers:
        yield "answer", _answer(answer, now_ms)
    if not call.answers:
        yield "answer", "none yet" if state_of(call) == "pending" else "none"
    yield "waiting", _waiting(call)
    if call.uses:
        yield "used", f"{call.uses} times" if call.uses > 1 else "once"
    if when := ending(call, now_ms):
        yield "ends", when
    yield "decision", exact(call.decision_id)
    yield "digest", exact(call.digest)


def _answer(answer: Any, now_ms: int) -> str:
    own = ", about a call of their own agent" if answer.is_self else ""
    word = "yes" if answer.is_grant else "no"
    note = f': "{exact(answer.note)}"' if answer.note else ""
    by = f"{exact(answer.by)} ({exact(answer.method)})"
    return f"{word} by {by}, {_ago(answer.at_ms, now_ms)}{own}{note}"


def _waiting(call: Any) -> str:
    callers = {0: "no caller", 1: "one caller"}.get(call.waiting, f"{call.waiting} callers")
    verb = "wait" if call.waiting > 1 else "waits"
    joined = f"; {call.joined} equal calls have asked" if call.joined > 1 else ""
    return f"{callers} {verb} for it now{joined}"


def _row(label: str, value: str, width: int | None, style: str = "") -> Sequence[Text]:
    return tuple(folded(Text(f"{label:{_LABEL}}", "dim"), value, _MARGIN, width, style))


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _ago(milliseconds: int, now_ms: int) -> str:
    return f"{words((now_ms - milliseconds) / 1000)} ago"
