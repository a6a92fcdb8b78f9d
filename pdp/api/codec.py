"""Converts `pdp.api.model` to protobuf and back. Pure and total: a malformed message is a `CodecError`.

Sizes are bounded here, because messages from the network are not to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pdp.api import definition, strict_json
from pdp.api.approval_codec import approval_from_wire, approval_to_wire
from pdp.api.bounds import MAX_NAME, MAX_TARGET, CodecError, optional_text, text
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

E = TypeVar("E")
_MAX_SERVER = 63
_MAX_TRANSPORT = 32
_EFFECT_TO_WIRE = {
    Effect.ALLOW: types_pb2.EFFECT_ALLOW,
    Effect.DENY: types_pb2.EFFECT_DENY,
    Effect.HOLD: types_pb2.EFFECT_HOLD,
}
_EFFECT_FROM_WIRE: dict[int, Effect] = {wire: effect for effect, wire in _EFFECT_TO_WIRE.items()}
_ERAS = frozenset(("", "legacy", "modern"))
_PHASE_TO_WIRE = {Phase.CALL: types_pb2.PHASE_CALL, Phase.LIST: types_pb2.PHASE_LIST}
_PHASE_FROM_WIRE: dict[int, Phase] = {
    types_pb2.PHASE_UNSPECIFIED: Phase.CALL,
    types_pb2.PHASE_CALL: Phase.CALL,
    types_pb2.PHASE_LIST: Phase.LIST,
}
_DIRECTION_TO_WIRE = {
    Direction.TO_SERVER: types_pb2.DIRECTION_TO_SERVER,
    Direction.TO_CLIENT: types_pb2.DIRECTION_TO_CLIENT,
}
_DIRECTION_FROM_WIRE: dict[int, Direction] = {
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


def call_from_wire(message: decision_pb2.DecideRequest) -> Call:
    """Read a call; raises `CodecError`."""
    principal, client, protocol = message.principal, message.client, message.protocol
    if protocol.era not in _ERAS:
        raise CodecError("protocol.era", "neither legacy nor modern")
    check_digest("definition_digest", message.definition_digest)
    return Call(
        request_id=text("request_id", message.request_id, MAX_NAME),
        server=text("server", message.server, _MAX_SERVER),
        method=text("method", message.method, MAX_NAME),
        target=optional_text("target", message.target, MAX_TARGET),
        arguments=_object("arguments_json", message.arguments_json),
        principal=_principal(principal),
        session=_session(message.session, principal),
        client=Client(client.name[:MAX_NAME], client.version[:MAX_NAME]),
        protocol=Protocol(protocol.era or "modern", protocol.version[:MAX_NAME]),
        transport=optional_text("transport", message.transport, _MAX_TRANSPORT) or "grpc",
        phase=_known("phase", message.phase, _PHASE_FROM_WIRE),
        direction=_known("direction", message.direction, _DIRECTION_FROM_WIRE),
        is_retry=message.is_retry,
        trace_id=optional_text("trace_id", message.trace_id, MAX_NAME),
        definition=message.definition_digest,
        reference=_known("reference", message.reference, _REFERENCE_FROM_WIRE),
        approval_id=optional_text("approval_id", message.approval_id, MAX_NAME),
    )


def _known(field: str, value: int, values: Mapping[int, E]) -> E:
    """What a number of an enumeration means; raises `CodecError`."""
    known = values.get(value)
    if known is None:
        raise CodecError(field, f"unknown value {value}")
    return known


def check_digest(field: str, digest: str) -> None:
    """Check a digest of a message, which may be empty; raises `CodecError`."""
    if digest and not _is_digest(digest):
        raise CodecError(field, "not sha256: and 64 hexadecimal digits")


def call_to_wire(call: Call) -> decision_pb2.DecideRequest:
    """Write a call."""
    message = decision_pb2.DecideRequest()
    write_call(call, message)
    return message


def write_call(call: Call, message: decision_pb2.DecideRequest) -> None:
    """Write a call into an empty message, which another may hold: to build it apart and copy it takes twice the time."""
    message.request_id = call.request_id
    message.server = call.server
    message.method = call.method
    message.target = call.target
    message.arguments_json = call.arguments
    principal, session = message.principal, message.session
    principal.id, principal.kind = call.principal.id, call.principal.kind
    principal.claims_json = call.principal.claims
    session.id, session.kind = call.session.id, call.session.kind
    client, protocol = message.client, message.protocol
    client.name, client.version = call.client.name, call.client.version
    protocol.era, protocol.version = call.protocol.era, call.protocol.version
    message.transport = call.transport
    message.phase = _PHASE_TO_WIRE[call.phase]
    message.direction = _DIRECTION_TO_WIRE[call.direction]
    message.is_retry = call.is_retry
    message.trace_id = call.trace_id
    message.definition_digest = call.definition
    message.reference = _REFERENCE_TO_WIRE[call.reference]
    message.approval_id = call.approval_id


def decision_to_wire(decision: Decision) -> types_pb2.Decision:
    """Write a decision."""
    message = types_pb2.Decision()
    write_decision(decision, message)
    return message


def write_decision(decision: Decision, message: types_pb2.Decision) -> None:
    """Write a decision into an empty message: see `write_call`."""
    message.decision_id = decision.decision_id
    message.effect = _EFFECT_TO_WIRE[decision.effect]
    reason = message.reason
    reason.code, reason.message = decision.reason.code, decision.reason.message
    message.rule = decision.rule
    message.revision = decision.revision
    message.hidden = decision.hidden
    message.retry_after_ms = decision.retry_after_ms
    for limit in decision.limits:
        _write_limit(limit, message.limits.add())
    for obligation in decision.obligations:
        message.obligations.add(type=obligation.type, properties_json=obligation.properties)
    for finding in decision.shadow:
        message.shadow.append(_shadow_to_wire(finding))
    if decision.appearance is not None:
        message.appearance.CopyFrom(_appearance_to_wire(decision.appearance))
    if decision.approval is not None:
        message.approval.CopyFrom(approval_to_wire(decision.approval))


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
    return Principal(
        text("principal.id", message.id, MAX_NAME * 2),
        text("principal.kind", message.kind, MAX_NAME),
        _object("principal.claims_json", message.claims_json),
    )


def _session(message: types_pb2.Session, principal: types_pb2.Principal) -> Session:
    """The session; a call that names none is counted by its principal."""
    identity = optional_text("session.id", message.id, MAX_NAME * 2)
    if not identity:
        return Session(principal.id, "principal")
    return Session(identity, text("session.kind", message.kind, MAX_NAME))


def _effect(value: int) -> Effect:
    return _known("effect", value, _EFFECT_FROM_WIRE)


def reason_from_wire(message: types_pb2.Reason) -> Reason:
    """Read the reason of a refusal; raises `CodecError`."""
    return Reason(
        text("reason.code", message.code, MAX_NAME),
        optional_text("reason.message", message.message, MAX_TARGET),
    )


def _reason(message: types_pb2.Reason) -> Reason:
    return Reason(message.code, message.message)


def _write_limit(limit: LimitResult, message: types_pb2.LimitResult) -> None:
    message.name = limit.name
    message.scope = limit.scope
    message.max = limit.max
    message.window_seconds = limit.window
    message.cost = limit.cost
    message.remaining = limit.remaining
    message.passed = limit.passed
    message.retry_after_ms = limit.retry_after_ms
    message.shadow = limit.shadow
    message.algorithm = limit.algorithm


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


def _appearance_to_wire(appearance: Appearance) -> types_pb2.Appearance:
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
