"""One decision as one line of JSON, its secrets masked. Pure.

Field names follow OPA's decision log where they mean the same. The members of the policy's `input`
stand here under their own names, so that the query can be repeated: see `pdp.records.replay`.

The digest of the `input` is there only when the record holds all of it. A digest over a masked secret
would let a reader of the record find a short secret by trying; a keyed digest would need a secret in a
file beside the records, and could not be checked without it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from pdp.api.model import (
    ApprovalState,
    Call,
    Client,
    Decision,
    Direction,
    Effect,
    LimitResult,
    Phase,
    Protocol,
    Reason,
    Reference,
    Session,
    ShadowFinding,
)
from pdp.policy.input import policy_input
from pdp.records.documents import Masked, masked_json
from pdp.records.shown import NO_MEMBERS, PolicyInput, Shown, what_may_be_shown
from pdp.tools.catalogue import UNKNOWN, Facts, Pin


class Timings(Struct, frozen=True):
    """Times in microseconds: of the policy query, and in all."""

    policy_us: int
    total_us: int


class _Caller(Struct):
    id: str
    kind: str
    claims: Raw | UnsetType = UNSET


class _Approval(Struct):
    id: str
    state: ApprovalState


class _Obligation(Struct):
    type: str
    properties: Raw


class Record(Struct, omit_defaults=True, kw_only=True, tag_field="type", tag="tipstaff.decision"):
    """One line of the journal. A field that has nothing to say is left out."""

    decision_id: str
    """Names this decision, here and in what its caller was told; sorts by time."""
    timestamp: str
    """When the call was judged (RFC 3339, UTC)."""
    labels: dict[str, str]
    """The labels of the configuration."""
    revision: str
    """The revision of the rules that decided."""
    server: str
    """The registered server."""
    method: str
    """The MCP method."""
    target: str
    """The tool's name, the resource's URI, the prompt's name."""
    reference: Reference = Reference.NONE
    """What a completion is for: `prompt` or `resource`."""
    definition: str = ""
    """The digest of the tool's definition as its server lists it now, where it is known."""
    pin: Pin | None = None
    """The digest of the tool's definition that was accepted, and when it was."""
    phase: Phase
    """`call`, or `list` for an entry of a list that was kept from the caller."""
    direction: Direction = Direction.TO_SERVER
    """`to_client` when it is the server that asks."""
    principal: _Caller
    """Who calls, and how that was proven; of the claims those that rules read."""
    session: Session
    """The agent session that limits count by."""
    client: Client
    """What the client says of itself."""
    protocol: Protocol
    """The era of MCP and its version."""
    transport: str
    """How the call came: `http`, `stdio`, `grpc`."""
    is_retry: bool = False
    """Whether the client says that it has made the call before."""
    tool: Facts = UNKNOWN.facts
    """What the catalogue says of the tool, as rules see it; left out of an unknown tool."""
    annotations: Raw | UnsetType = UNSET
    """The annotations of the tool's accepted definition."""
    effect: Effect
    """`allow`, `deny`, or `hold`."""
    reason: Reason
    """Why: a code that never changes its meaning (reason-codes.md), and a sentence."""
    rule: str
    """The path of the rule that decided; `pep` when the proxy refused before any rule was asked."""
    limits: tuple[LimitResult, ...] = ()
    """What each limit said."""
    approval: _Approval | None = None
    """The approval that a held call waits for, or that lets it go on: its identifier and its state."""
    obligations: list[_Obligation] = []
    """What must be done with an allowed call."""
    shadow: tuple[ShadowFinding, ...] = ()
    """What rules that are not enforced would have done."""
    fault: str = ""
    """What went wrong, for operators."""
    known: bool = False
    """Whether the answer of the rules was known from an earlier call, so that they were not evaluated again."""
    timings: Timings
    """Microseconds: `policy_us` in the policy query, `total_us` in all."""
    request_id: str
    """The identifier under which the decision was asked for."""
    trace_id: str = ""
    """The identifier of the trace that the call is part of."""
    arguments: Raw
    """The arguments."""
    time: int = 0
    """`input.time`: nanoseconds since 1970. Left out when no policy was asked."""
    masked: tuple[str, ...] = ()
    """JSON pointers into this record to what was masked of the call."""
    omitted: tuple[str, ...] = ()
    """JSON pointers into this record to what was too large to be kept."""
    unread: tuple[str, ...] = ()
    """`/principal/claims` when the caller had claims that no rule of the revision reads."""
    input_digest: str = ""
    """SHA-256 of the `input` that was judged, less claims that no rule reads, when all of it is here."""


_encode = msgspec.json.Encoder().encode


def line(
    call: Call,
    decision: Decision,
    *,
    now_ns: int,
    labels: dict[str, str],
    timings: Timings,
    fault: str = "",
    question: PolicyInput | None = None,
) -> bytes:
    """The record of `decision` on `call`, with its line end; `fault` is for operators only.

    `question` is the policy's input at `now_ns`, `None` when the policy was not queried.
    """
    shown = what_may_be_shown(call, decision, fault, question)
    tool, call = question.tool if question else UNKNOWN, shown.call
    record = Record(
        **_of_decision(shown.decision),
        timestamp=timestamp(now_ns),
        labels=labels,
        server=call.server,
        method=call.method,
        target=call.target,
        reference=call.reference,
        definition=call.definition,
        pin=tool.pin,
        phase=call.phase,
        direction=call.direction,
        principal=_caller(shown),
        session=call.session,
        client=call.client,
        protocol=call.protocol,
        transport=call.transport,
        is_retry=call.is_retry,
        tool=tool.facts,
        annotations=_raw(shown.annotations),
        fault=shown.fault,
        known=question is not None and question.is_known,
        timings=timings,
        request_id=call.request_id,
        trace_id=call.trace_id,
        arguments=Raw(shown.arguments.data),
        time=now_ns if question else 0,
        masked=shown.masked,
        omitted=shown.omitted,
        unread=shown.unread,
        input_digest=_digest(shown, question, now_ns) if question else "",
    )
    return _encode(record) + b"\n"


def digest_of(document: bytes) -> str:
    """The digest of an `input` document."""
    return "sha256:" + hashlib.sha256(document).hexdigest()


def _digest(shown: Shown, question: PolicyInput, now_ns: int) -> str:
    """The digest of the `input`, without unread claims; "" when another part of it is not shown."""
    if not shown.is_whole:
        return ""
    if not shown.unread:
        return digest_of(question.document)
    principal = replace(shown.call.principal, claims=shown.claims.data)
    return digest_of(policy_input(replace(shown.call, principal=principal), question.tool, now_ns))


def _caller(shown: Shown) -> _Caller:
    principal = shown.call.principal
    return _Caller(principal.id, principal.kind, _raw(shown.claims))


def _of_decision(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "revision": decision.revision,
        "effect": decision.effect,
        "reason": decision.reason,
        "rule": decision.rule,
        "limits": decision.limits,
        "approval": _Approval(decision.approval.id, decision.approval.state)
        if decision.approval
        else None,
        "obligations": [
            _Obligation(obligation.type, Raw(masked_json(obligation.properties)))
            for obligation in decision.obligations
        ],
        "shadow": decision.shadow,
    }


def _raw(document: Masked) -> Raw | UnsetType:
    return UNSET if document.data == NO_MEMBERS else Raw(document.data)


def timestamp(now_ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339, to the microsecond."""
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{_whole_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
