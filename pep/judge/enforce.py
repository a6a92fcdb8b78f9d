"""Enforcement of a decision: the message goes on, or is refused. Pure.

An allow goes on only when every obligation that comes with it is known here and met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct, structs

from pdp.api.model import Appearance, Approval, Decision, Effect, Obligation, Reason
from pdp.api.reasons import PASSING_FAULTS
from pep.choices import DenialStyle
from pep.errors import (
    ApprovalRequired,
    BodyTooLarge,
    BodyTooSlow,
    DecisionAway,
    Denial,
    InvalidParams,
    LimitReached,
    MethodNotFound,
    PolicyDenied,
    Refusal,
    TooManyUnderWay,
    VerbNotAllowed,
)
from pep.judge import rate_limit
from pep.judge.holding import is_held
from pep.mcp.admit import status_of
from pep.mcp.error_codes import WIRE
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import NO_REPLY, Id, ReplyTo, Request, render_error, render_result
from pep.mcp.methods import LEGACY, MODERN

DECISION_KEY = "tipstaff/decision"
# How each known obligation is met: none exists yet.
OBLIGATIONS: Mapping[str, Callable[[Obligation], None]] = MappingProxyType({})

_JSON: HeaderLines = [(b"content-type", b"application/json")]
# RFC 9110 sections 10.2.1 and 15.5.9: header lines that these statuses need. A body that was not read
# to its end leaves the connection unusable.
_EXTRA_LINES: Mapping[type[Refusal], HeaderLines] = MappingProxyType(
    {
        VerbNotAllowed: [(b"allow", b"GET, POST, DELETE")],
        BodyTooLarge: [(b"connection", b"close")],
        BodyTooSlow: [(b"connection", b"close")],
        TooManyUnderWay: [(b"retry-after", b"1")],
        DecisionAway: [(b"retry-after", b"1")],
    }
)


class Forward(Struct, frozen=True):
    """The judged bytes may go on."""


class Refuse(Struct, frozen=True):
    """The answer to give instead."""

    status: int
    headers: HeaderLines
    body: bytes


Verdict = Forward | Refuse


def enforce(message: Request, decision: Decision, *, era: str, denial: DenialStyle) -> Verdict:
    """The verdict on the message. `denial` says how a refused tool call is shown."""
    if decision.effect is Effect.ALLOW:
        unknown = [
            obligation.type
            for obligation in decision.obligations
            if obligation.type not in OBLIGATIONS
        ]
        if not unknown:
            return Forward()
        decision = _with_unknown_obligation(decision, unknown[0])
    if decision.reason.code == "pdp_unavailable":
        away = DecisionAway("The decision service is away; the call was not made", _data(decision))
        return refuse(message.id, away, era=era)
    if decision.hidden:
        if decision.appearance is None:
            return refuse(message.id, _as_unknown(message), era=era)
        decision = _as_it_appears(decision, decision.appearance)
    if message.method == "tools/call" and denial == "result":
        body = render_result(message.id, _result(decision, era))
        return _refuse(200, _retry_after(decision), body)
    kind = _denial(decision)
    return refuse(
        message.id, kind(_sentence(decision), _data(decision)), era=era, decision=decision
    )


def refuse(
    reply_to: ReplyTo, fault: Refusal, *, era: str = LEGACY, decision: Decision | None = None
) -> Refuse:
    """A JSON-RPC error with the status that belongs to it.

    A notification of an unknown method is taken and dropped, as servers do (202): some clients end
    the session over a status of failure, and the receiver of a notification may ignore it.
    """
    if reply_to is NO_REPLY and isinstance(fault, MethodNotFound):
        return Refuse(202, [(b"content-length", b"0")], b"")
    has_id = reply_to is not None and reply_to is not NO_REPLY
    status = status_of(fault, WIRE[type(fault)].status, era, has_id=has_id)
    headers = _retry_after(decision) if decision else _EXTRA_LINES.get(type(fault), [])
    return _refuse(status, [*headers, *fault.lines], render_error(reply_to, fault))


def ask_again(request_id: Id, state: str) -> Refuse:
    """The answer that has the client make its request again with `state` (MCP 2026-07-28, basic/patterns/mrtr).

    It asks for nothing. The empty `inputRequests` is for clients that would not try again without it.
    """
    result = {"resultType": "input_required", "inputRequests": {}, "requestState": state}
    return _refuse(200, [], render_result(request_id, result))


def _refuse(status: int, headers: HeaderLines, body: bytes) -> Refuse:
    length = (b"content-length", b"%d" % len(body))
    return Refuse(status, [*_JSON, length, *headers], body)


def _result(decision: Decision, era: str) -> dict[str, Any]:
    """A tool result that states the refusal, so that the model reads why."""
    facts: dict[str, Any] = {
        "decision_id": decision.decision_id,
        "code": _code(decision),
        "rule": decision.rule,
        **_approval(decision),
    }
    if decision.retry_after_ms or is_held(decision):
        facts["retry_after_ms"] = decision.retry_after_ms
    if decision.limits:
        facts["limits"] = _limits(decision)
    result = {
        "content": [{"type": "text", "text": _sentence(decision)}],
        "isError": True,
        "_meta": {DECISION_KEY: facts},
    }
    return {**result, "resultType": "complete"} if era == MODERN else result


def _data(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "reason_code": _code(decision),
        "rule": decision.rule,
        "retry_after_ms": decision.retry_after_ms,
        **_approval(decision),
        **({"limits": _limits(decision)} if decision.limits else {}),
    }


def _limits(decision: Decision) -> list[dict[str, Any]]:
    """The state of the limits, for a client that reads no headers."""
    return [
        {
            "name": limit.name,
            "scope": limit.scope,
            "max": limit.max,
            "window": limit.window,
            "remaining": limit.remaining,
            "passed": limit.passed,
            "retry_after_ms": limit.retry_after_ms,
        }
        for limit in decision.limits
        if not limit.shadow
    ]


def _code(decision: Decision) -> str:
    """The code that the client reads: a call that waits for people is not refused for good."""
    return "approval_pending" if is_held(decision) else decision.reason.code


def _approval(decision: Decision) -> dict[str, Any]:
    approval = decision.approval
    if approval is None:
        return {}
    facts = {"id": approval.id, "state": approval.state}
    return {"approval": {**facts, "expires_in_ms": approval.expires_in_ms}}


def _pending(decision: Decision, approval: Approval) -> str:
    """What a model needs to know to go on waiting: whom it waits for, until when, and how."""
    reason = (decision.reason.message or decision.reason.code).rstrip(". ")
    whom = f"people of {', '.join(approval.approvers)}" if approval.approvers else "a person"
    minutes = max(round(approval.expires_in_ms / 60_000), 1)
    return (
        f"Approval pending: {reason}. The call has not been made: {whom} must approve it, within "
        f"{minutes} min. To go on waiting, make exactly the same call again, without changing its "
        f"arguments. (approval {approval.id}, decision {decision.decision_id})"
    )


def _sentence(decision: Decision) -> str:
    if decision.approval is not None and is_held(decision):
        return _pending(decision, decision.approval)
    reason = (decision.reason.message or decision.reason.code).rstrip(". ")
    return f"Policy violation: {reason}. {_advice(decision)} (decision {decision.decision_id})"


def _advice(decision: Decision) -> str:
    if decision.retry_after_ms > 0:
        return f"Try again in {_seconds(decision.retry_after_ms)} s."
    if decision.reason.code in PASSING_FAULTS:
        return "This is a fault of the gateway, not of the call: try again later."
    if _denial(decision) is ApprovalRequired:
        return "Retrying will not help before a person has approved it."
    return "Retrying will not help."


def _denial(decision: Decision) -> type[Denial]:
    if decision.effect is Effect.HOLD or decision.reason.code == "approval_required":
        return ApprovalRequired
    return LimitReached if decision.reason.code == "rate_limited" else PolicyDenied


def _retry_after(decision: Decision) -> HeaderLines:
    """The budgets; and `Retry-After` in whole seconds (RFC 9110 section 10.2.3), if waiting helps."""
    budget_lines = rate_limit.lines(decision.limits)
    if decision.retry_after_ms <= 0:
        return budget_lines
    return [(b"retry-after", b"%d" % _seconds(decision.retry_after_ms)), *budget_lines]


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)


def _as_it_appears(decision: Decision, appearance: Appearance) -> Decision:
    """The denial of a hidden target, made equal to that of a target that does not exist."""
    return structs.replace(
        decision,
        effect=appearance.effect,
        reason=appearance.reason,
        rule=appearance.rule,
        limits=(),
        retry_after_ms=0,
    )


def _as_unknown(message: Request) -> InvalidParams:
    """The error that a server answers to an unknown name."""
    ref = message.params.get("ref")
    named = ref if isinstance(ref, dict) else message.params
    name = named.get("name", named.get("uri", ""))
    return InvalidParams(f"Unknown {_kind_of(message.method, named)}: {name}")


def _kind_of(method: str, named: dict[str, Any]) -> str:
    if method == "tools/call":
        return "tool"
    if "uri" in named:
        return "resource"
    return "prompt" if "name" in named else "target"


def _with_unknown_obligation(decision: Decision, kind: str) -> Decision:
    message = f"the allow asks for {kind!r}, which this enforcement point cannot do"
    return Decision(
        decision_id=decision.decision_id,
        effect=Effect.DENY,
        reason=Reason("unknown_obligation", message),
        rule=decision.rule,
        revision=decision.revision,
        limits=decision.limits,
        shadow=decision.shadow,
    )
