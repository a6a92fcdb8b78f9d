"""Converts `pdp.api.model` to protobuf and back. Pure and total: a malformed message is a `CodecError`.

Sizes are bounded here, because messages from the network are not to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pdp.api import definition, strict_json
from pdp.api.approval_codec import approval_from_wire, approval_to_wire
from pdp.api.bounds import MAX_NAME, MAX_TARGET, CodecError, check_text
from pdp.api.model import (
    Appearance,
    Call,
    Client,
    Decision,
    Direction,
    Effect,
    LimitResult,
    Obligation,
    Phase,
    Principal,
    Protocol,
    Reason,
    Reference,
    Session,
    ShadowFinding,
)
from pdp.api.v1 import decision_pb2, types_pb2

_EFFECT_TO_WIRE = {
    Effect.ALLOW: types_pb2.EFFECT_ALLOW,
    Effect.DENY: types_pb2.EFFECT_DENY,
    Effect.HOLD: types_pb2.EFFECT_HOLD,
}
_EFFECT_FROM_WIRE: dict[int, Effect] = {wire: effect for effect, wire in _EFFECT_TO_WIRE.items()}
_ERAS = frozenset(("", "legacy", "modern"))
_PHASE_TO_WIRE = {Phase.CALL: types_pb2.PHASE_CALL, Phase.LIST: types_pb2.PHASE_LIST}
_PHASE_FROM_WIRE = {
    types_pb2.PHASE_UNSPECIFIED: Phase.CALL,
    types_pb2.PHASE_CALL: Phase.CALL,
    types_pb2.PHASE_LIST: Phase.LIST,
}
_DIRECTION_TO_WIRE = {
    Direction.TO_SERVER: types_pb2.DIRECTION_TO_SERVER,
    Direction.TO_CLIENT: types_pb2.DIRECTION_TO_CLIENT,
}
_DIRECTION_FROM_WIRE = {
    types_pb2.DIRECTION_UNSPECIFIED: Direction.TO_SERVER,
    types_pb2.DIRECTION_TO_SERVER: Direction.TO_SERVER,
    types_pb2.DIRECTION_TO_CLIENT: Direction.TO_CLIENT,
}
_REFERENCE_TO_WIRE = {
    Reference.NONE: types_pb2.REFERENCE_UNSPECIFIED,
    Reference.PROMPT: types_pb2.REFERENCE_PROMPT,
    Reference.RESOURCE: types_pb2.REFERENCE_RESOURCE,
}
_REFERENCE_FROM_WIRE: dict[int, Reference] = {
    wire: reference for reference, wire in _REFERENCE_TO_WIRE.items()
}
_is_digest = re.compile(definition.PATTERN).match
# field, longest value, whether it may be empty
_BOUNDS = (
    ("request_id", MAX_NAME, False),
    ("server", 63, False),
    ("method", MAX_NAME, False),
    ("target", MAX_TARGET, True),
    ("transport", 32, True),
    ("trace_id", MAX_NAME, True),
    ("approval_id", MAX_NAME, True),
)


def call_from_wire(message: decision_pb2.DecideRequest) -> Call:
    """Read a call; raises `CodecError`."""
    for field, longest, may_be_empty in _BOUNDS:
        check_text(field, getattr(message, field), longest, may_be_empty=may_be_empty)
    if message.phase not in _PHASE_FROM_WIRE:
        raise CodecError("phase", f"unknown value {message.phase}")
    if message.direction not in _DIRECTION_FROM_WIRE:
        raise CodecError("direction", f"unknown value {message.direction}")
    if message.reference not in _REFERENCE_FROM_WIRE:
        raise CodecError("reference", f"unknown value {message.reference}")
    if message.protocol.era not in _ERAS:
        raise CodecError("protocol.era", "neither legacy nor modern")
    check_digest("definition_digest", message.definition_digest)
    return Call(
        request_id=message.request_id,
        server=message.server,
        method=message.method,
        target=message.target,
        arguments=_object("arguments_json", message.arguments_json),
        principal=_principal(message.principal),
        session=_session(message),
        client=Client(message.client.name[:MAX_NAME], message.client.version[:MAX_NAME]),
        protocol=Protocol(message.protocol.era or "modern", message.protocol.version[:MAX_NAME]),
        transport=message.transport or "grpc",
        phase=_PHASE_FROM_WIRE[message.phase],
        direction=_DIRECTION_FROM_WIRE[message.direction],
        is_retry=message.is_retry,
        trace_id=message.trace_id,
        definition=message.definition_digest,
        reference=_REFERENCE_FROM_WIRE[message.reference],
        approval_id=message.approval_id,
    )


def check_digest(field: str, digest: str) -> None:
    """Check a digest of a message, which may be empty; raises `CodecError`."""
    if digest and not _is_digest(digest):
        raise CodecError(field, "not sha256: and 64 hexadecimal digits")


def call_to_wire(call: Call) -> decision_pb2.DecideRequest:
    """Write a call."""
    return decision_pb2.DecideRequest(
        request_id=call.request_id,
        server=call.server,
        method=call.method,
        target=call.target,
        arguments_json=call.arguments,
        principal=types_pb2.Principal(
            id=call.principal.id, kind=call.principal.kind, claims_json=call.principal.claims
        ),
        session=types_pb2.Session(id=call.session.id, kind=call.session.kind),
        client=types_pb2.Client(name=call.client.name, version=call.client.version),
        protocol=types_pb2.Protocol(era=call.protocol.era, version=call.protocol.version),
        transport=call.transport,
        phase=_PHASE_TO_WIRE[call.phase],
        direction=_DIRECTION_TO_WIRE[call.direction],
        is_retry=call.is_retry,
        trace_id=call.trace_id,
        definition_digest=call.definition,
        reference=_REFERENCE_TO_WIRE[call.reference],
        approval_id=call.approval_id,
    )


def decision_to_wire(decision: Decision) -> types_pb2.Decision:
    """Write a decision."""
    return types_pb2.Decision(
        decision_id=decision.decision_id,
        effect=_EFFECT_TO_WIRE[decision.effect],
        reason=types_pb2.Reason(code=decision.reason.code, message=decision.reason.message),
        rule=decision.rule,
        revision=decision.revision,
        hidden=decision.hidden,
        limits=[_limit_to_wire(limit) for limit in decision.limits],
        obligations=[
            types_pb2.Obligation(type=obligation.type, properties_json=obligation.properties)
            for obligation in decision.obligations
        ],
        shadow=[_shadow_to_wire(finding) for finding in decision.shadow],
        retry_after_ms=decision.retry_after_ms,
        appearance=_appearance_to_wire(decision.appearance),
        approval=approval_to_wire(decision.approval) if decision.approval else None,
    )


def decision_from_wire(message: types_pb2.Decision, *, is_trial: bool = False) -> Decision:
    """Read a decision, which only as a trial may have no identifier; raises `CodecError`."""
    if not message.decision_id and not is_trial:
        raise CodecError("decision_id", "missing")
    return Decision(
        decision_id=message.decision_id,
        effect=_effect(message.effect),
        reason=_reason(message.reason),
        rule=message.rule,
        revision=message.revision,
        hidden=message.hidden,
        limits=tuple(_limit(limit) for limit in message.limits),
        obligations=tuple(
            Obligation(obligation.type, obligation.properties_json or b"{}")
            for obligation in message.obligations
        ),
        shadow=_shadow(message.shadow),
        retry_after_ms=message.retry_after_ms,
        appearance=_appearance(message.appearance) if message.HasField("appearance") else None,
        approval=approval_from_wire(message.approval) if message.HasField("approval") else None,
    )


def _object(field: str, data: bytes) -> bytes:
    """The bytes as they came, proven to be one strict JSON object.

    Strict, because they are spliced into the policy query. An object, because JSON Schema's keywords
    for members accept every value that is no object: a list would pass each check.
    """
    if not data:
        return b"{}"
    try:
        value = strict_json.loads(data)
    except strict_json.StrictJsonError as error:
        raise CodecError(field, str(error)) from error
    if not isinstance(value, dict):
        raise CodecError(field, "not an object")
    return data


def _principal(message: types_pb2.Principal) -> Principal:
    check_text("principal.id", message.id, MAX_NAME * 2, may_be_empty=False)
    check_text("principal.kind", message.kind, MAX_NAME, may_be_empty=False)
    claims = _object("principal.claims_json", message.claims_json)
    return Principal(message.id, message.kind, claims)


def _session(message: decision_pb2.DecideRequest) -> Session:
    """The session; a call that names none is counted by its principal."""
    if not message.session.id:
        return Session(message.principal.id, "principal")
    check_text("session.id", message.session.id, MAX_NAME * 2, may_be_empty=False)
    check_text("session.kind", message.session.kind, MAX_NAME, may_be_empty=False)
    return Session(message.session.id, message.session.kind)


def _effect(value: int) -> Effect:
    effect = _EFFECT_FROM_WIRE.get(value)
    if effect is None:
        raise CodecError("effect", f"unknown value {value}")
    return effect


def reason_from_wire(message: types_pb2.Reason) -> Reason:
    """Read the reason of a refusal; raises `CodecError`."""
    check_text("reason.code", message.code, MAX_NAME, may_be_empty=False)
    check_text("reason.message", message.message, MAX_TARGET, may_be_empty=True)
    return _reason(message)


def _reason(message: types_pb2.Reason) -> Reason:
    return Reason(message.code, message.message)


def _limit_to_wire(limit: LimitResult) -> types_pb2.LimitResult:
    return types_pb2.LimitResult(
        name=limit.name,
        scope=limit.scope,
        max=limit.max,
        window_seconds=limit.window,
        cost=limit.cost,
        remaining=limit.remaining,
        passed=limit.passed,
        retry_after_ms=limit.retry_after_ms,
        shadow=limit.shadow,
        algorithm=limit.algorithm,
    )


def _limit(message: types_pb2.LimitResult) -> LimitResult:
    return LimitResult(
        message.name,
        message.scope,
        message.max,
        message.window_seconds,
        message.cost,
        message.remaining,
        message.passed,
        message.retry_after_ms,
        message.shadow,
        message.algorithm,
    )


def _appearance_to_wire(appearance: Appearance | None) -> types_pb2.Appearance | None:
    if appearance is None:
        return None
    return types_pb2.Appearance(
        effect=_EFFECT_TO_WIRE[appearance.effect],
        reason=types_pb2.Reason(code=appearance.reason.code, message=appearance.reason.message),
        rule=appearance.rule,
    )


def _appearance(message: types_pb2.Appearance) -> Appearance:
    return Appearance(_effect(message.effect), _reason(message.reason), message.rule)


def _shadow_to_wire(finding: ShadowFinding) -> types_pb2.ShadowFinding:
    return types_pb2.ShadowFinding(
        effect=_EFFECT_TO_WIRE[finding.effect],
        reason=types_pb2.Reason(code=finding.reason.code, message=finding.reason.message),
        rule=finding.rule,
    )


def _shadow(messages: Sequence[types_pb2.ShadowFinding]) -> tuple[ShadowFinding, ...]:
    return tuple(
        ShadowFinding(_effect(finding.effect), _reason(finding.reason), finding.rule)
        for finding in messages
    )
