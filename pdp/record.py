"""One decision as one line of JSON, its secrets masked. Pure.

Field names follow OPA's decision log where they mean the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from pdp.api.model import Call, Decision, LimitResult, Reason
from pdp.masking import masked_json, masked_text, may_hold_secret


class Timings(Struct, frozen=True):
    """Where the time went, in microseconds: in the policy query, and in all."""

    policy_us: int
    total_us: int


class _Party(Struct):
    id: str
    kind: str


class _Shadow(Struct):
    effect: str
    reason: Reason
    rule: str


class _Obligation(Struct):
    type: str
    properties: Raw


class Record(Struct, omit_defaults=True, kw_only=True):
    """One line of the journal."""

    type: str
    decision_id: str
    timestamp: str
    labels: dict[str, str]
    revision: str
    server: str
    method: str
    target: str
    phase: str
    principal: _Party
    session: _Party
    client: str = ""
    era: str
    transport: str
    effect: str
    reason: Reason
    rule: str
    limits: tuple[LimitResult, ...] = ()
    obligations: list[_Obligation] = []
    shadow: list[_Shadow] = []
    fault: str = ""
    timings: Timings
    request_id: str
    trace_id: str = ""
    arguments: Raw


TYPE = "tipstaff.decision"
_encode = msgspec.json.Encoder().encode


def line(
    call: Call,
    decision: Decision,
    *,
    now_ns: int,
    labels: dict[str, str],
    timings: Timings,
    fault: str = "",
) -> bytes:
    """The record of `decision` on `call`, with its line end; `fault` is detail for operators only."""
    client = f"{call.client.name} {call.client.version}".strip()
    texts = (call.target, call.session.id, client, call.request_id, decision.reason.message, fault)
    target, session_id, client, request_id, message, fault = _masked_texts(texts)
    record = Record(
        type=TYPE,
        decision_id=decision.decision_id,
        timestamp=_timestamp(now_ns),
        labels=labels,
        revision=decision.revision,
        server=call.server,
        method=call.method,
        target=target,
        phase=call.phase.value,
        principal=_Party(call.principal.id, call.principal.kind),
        session=_Party(session_id, call.session.kind),
        client=client,
        era=call.protocol.era,
        transport=call.transport,
        effect=decision.effect.value,
        reason=Reason(decision.reason.code, message),
        rule=decision.rule,
        limits=decision.limits,
        obligations=[
            _Obligation(one.type, Raw(masked_json(one.properties))) for one in decision.obligations
        ],
        shadow=[_Shadow(one.effect.value, one.reason, one.rule) for one in decision.shadow],
        fault=fault,
        timings=timings,
        request_id=request_id,
        trace_id=call.trace_id,
        arguments=Raw(masked_json(call.arguments)),
    )
    return _encode(record) + b"\n"


def _masked_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts, masked; one look at all of them is enough when none can hold a secret."""
    if not may_hold_secret("\n".join(texts)):
        return texts
    return tuple(masked_text(text) for text in texts)


def _timestamp(now_ns: int) -> str:
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{_whole_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
