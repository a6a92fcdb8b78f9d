"""One decision as one line of JSON, its secrets masked. Pure.

Field names follow OPA's decision log where they mean the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from pdp.api.model import Call, Client, Decision, LimitResult, Reason
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
    reference: str = ""
    definition: str = ""
    phase: str
    direction: str = "to_server"
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
_FREE_TEXTS = ("method", "target", "request_id", "trace_id")
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
    """The record of `decision` on `call`, with its line end; `fault` is for operators only."""
    call, decision, fault = _masked(call, decision, fault)
    record = Record(
        type=TYPE,
        decision_id=decision.decision_id,
        timestamp=_timestamp(now_ns),
        labels=labels,
        revision=decision.revision,
        server=call.server,
        method=call.method,
        target=call.target,
        reference=call.reference.value,
        definition=call.definition,
        phase=call.phase.value,
        direction=call.direction.value,
        principal=_Party(call.principal.id, call.principal.kind),
        session=_Party(call.session.id, call.session.kind),
        client=f"{call.client.name} {call.client.version}".strip(),
        era=call.protocol.era,
        transport=call.transport,
        effect=decision.effect.value,
        reason=decision.reason,
        rule=decision.rule,
        limits=decision.limits,
        obligations=[
            _Obligation(one.type, Raw(masked_json(one.properties))) for one in decision.obligations
        ],
        shadow=[_Shadow(one.effect.value, one.reason, one.rule) for one in decision.shadow],
        fault=fault,
        timings=timings,
        request_id=call.request_id,
        trace_id=call.trace_id,
        arguments=Raw(masked_json(call.arguments)),
    )
    return _encode(record) + b"\n"


def _masked(call: Call, decision: Decision, fault: str) -> tuple[Call, Decision, str]:
    """All three with every text masked that a caller, or a rule that quotes one, has written.

    One look at all of them together is enough when none can hold a secret.
    """
    client = f"{call.client.name} {call.client.version}"
    shown = (*(getattr(call, name) for name in _FREE_TEXTS), call.session.id, client)
    said = (decision.reason.message, *(one.reason.message for one in decision.shadow), fault)
    if not may_hold_secret("\n".join((*shown, *said))):
        return call, decision, fault
    texts = {name: masked_text(getattr(call, name)) for name in _FREE_TEXTS}
    call = replace(
        call,
        **texts,
        session=replace(call.session, id=masked_text(call.session.id)),
        client=Client(masked_text(client)),
    )
    shadow = tuple(replace(one, reason=_masked_reason(one.reason)) for one in decision.shadow)
    decision = replace(decision, reason=_masked_reason(decision.reason), shadow=shadow)
    return call, decision, masked_text(fault)


def _masked_reason(reason: Reason) -> Reason:
    return replace(reason, message=masked_text(reason.message))


def _timestamp(now_ns: int) -> str:
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{_whole_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
