"""A held call as people read it before they answer: all of it, and nothing that a terminal obeys. Pure.

Every argument is shown to its end. Whoever approves what was cut approves out of habit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from pdp.api import limit_text
from pdp.api.v1 import approvals_pb2
from tipstaff.common.visible_text import visible

STATE_STYLE = {
    "pending": "yellow",
    "granted": "green",
    "used": "green",
    "refused": "red",
    "void": "red",
    "unknown": "red",
}
_RISKS = {"high": "red", "critical": "bold red"}
_NAME = 11


def state_of(call: approvals_pb2.HeldCall) -> str:
    """The state in one word."""
    return approvals_pb2.ApprovalState.Name(call.state).removeprefix("APPROVAL_STATE_").lower()


def lines(call: approvals_pb2.HeldCall, now_ms: int) -> Iterator[Text]:
    """The whole of an approval, line by line; `now_ms` is the time, in milliseconds since the epoch."""
    state = state_of(call)
    yield Text.assemble((visible(f"{call.server} {call.target}"), "bold"), "  ", _what(call))
    yield _field("state", Text(f"{state}{_until(call, now_ms)}", STATE_STYLE.get(state, "")))
    yield _field("asked by", Text(visible(_who(call)), "cyan"))
    if call.method != "tools/call":
        yield _field("method", Text(visible(call.method)))
    yield _field("waiting", Text(_waiting(call)))
    for terms in call.terms:
        yield _field("rule", Text(visible(f"{terms.rule}: {terms.reason.message}")))
        yield _field("", Text(visible(_demands(terms)), "dim"))
    for limit in call.limits:
        whose = limit_text.whose(limit.scope, "")
        allows = limit_text.allows(limit.name, limit.max, limit.window_seconds, whose, "")
        yield _field("takes", Text(visible(f"{limit.cost} of: {allows}")))
    for answer in call.answers:
        yield _field("answer", Text(visible(_answer(answer))))
    yield _field("arguments", Text(""))
    yield from (Text("    " + line) for line in argument_lines(call.arguments_json))
    yield _field("digest", Text(call.digest, "dim"))
    yield _field("id", Text(visible(call.id)))


def row(call: approvals_pb2.HeldCall, now_ms: int) -> tuple[Text, ...]:
    """The cells of a table: id, state, when it ends, what, who asks."""
    state = state_of(call)
    until = time_left(call.ends_at_ms - now_ms) if call.ends_at_ms > now_ms else ""
    return (
        Text(visible(call.id)),
        Text(state, STATE_STYLE.get(state, "")),
        Text(until),
        Text.assemble((visible(f"{call.server} {call.target}"), "bold"), " ", _what(call)),
        Text(visible(_who(call))),
    )


def argument_lines(document: bytes) -> list[str]:
    """The arguments as an indented tree in which every hidden character shows."""
    value = json.loads(document or b"{}", parse_int=_Number, parse_float=_Number)
    return list(_tree(value, ""))


def time_left(milliseconds: int) -> str:
    """A time in words, rounded up."""
    seconds = max(-(-milliseconds // 1000), 0)
    if seconds < 120:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{-(-minutes // 60)} h"


class _Number(str):
    """A number as the caller wrote it."""

    __slots__ = ()


def _tree(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _member(f"{indent}{_quoted(name)}:", item, indent)
    elif isinstance(value, list) and value:
        for item in value:
            yield from _member(f"{indent}-", item, indent)
    else:
        yield indent + _leaf(value)


def _member(head: str, item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, dict | list) and item:
        yield head
        yield from _tree(item, indent + "  ")
    elif isinstance(item, str) and not isinstance(item, _Number) and "\n" in item:
        yield f"{head} text of {len(item)} characters"
        yield from (f"{indent}  | {visible(line)}" for line in item.split("\n"))
    else:
        yield f"{head} {_leaf(item)}"


def _leaf(value: Any) -> str:
    if isinstance(value, _Number):
        return visible(value)
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return visible(json.dumps(text, ensure_ascii=False))


def _field(name: str, value: Text) -> Text:
    return Text.assemble((f"  {name:{_NAME}}", "dim"), value)


def _what(call: approvals_pb2.HeldCall) -> Text:
    """Category and risk of the tool, as far as the catalogue knows it."""
    if not call.category and not call.risk:
        return Text("not in the catalogue", "dim")
    return Text.assemble(call.category, " ", (f"{call.risk} risk", _RISKS.get(call.risk, "")))


def _who(call: approvals_pb2.HeldCall) -> str:
    human = f", for {call.human}" if call.human else ""
    client = f" ({call.client.name} {call.client.version})".rstrip() if call.client.name else ""
    return f"{call.principal.id}{human}{client}"


def _until(call: approvals_pb2.HeldCall, now_ms: int) -> str:
    if not call.ends_at_ms or call.ends_at_ms <= now_ms:
        return ""
    left = time_left(call.ends_at_ms - now_ms)
    standing = "stands for equal calls, " if call.is_standing else ""
    return f", {standing}{left} left"


def _waiting(call: approvals_pb2.HeldCall) -> str:
    if call.waiting:
        return "the caller waits with its connection open"
    return "nobody waits now: the same call, made again, will find the answer"


def _demands(terms: approvals_pb2.ApprovalTerms) -> str:
    """What the rule demands, in a sentence."""
    people = "1 person" if terms.count <= 1 else f"{terms.count} people"
    of = f" of {', '.join(terms.approvers)}" if terms.approvers else ""
    own = "not the person behind the caller" if terms.not_self else "the caller's own person too"
    parts = [f"{people}{of}, {own}", f"used within {time_left(terms.use_within * 1000)}"]
    if terms.note != "optional":
        parts.append("with a note" if terms.note == "always" else "a note with a refusal")
    if terms.standing_max:
        parts.append(f"may stand for {time_left(terms.standing_max * 1000)}")
    return "; ".join(parts)


def _answer(answer: approvals_pb2.ApprovalAnswer) -> str:
    word = "yes" if answer.is_grant else "no"
    own = ", whose own agent it is" if answer.is_self else ""
    note = f": {answer.note}" if answer.note else ""
    return f"{word} by {answer.by} ({answer.method}){own}{note}"
