"""The structures of the contract, frozen, and independent of gRPC, OPA and HTTP."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Effect(StrEnum):
    """What may happen to a call."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"


class Phase(StrEnum):
    """The purpose of a judgement: to make the call, or to see its target in a list."""

    CALL = "call"
    LIST = "list"


class Direction(StrEnum):
    """The direction of a request: from client to server, or from server to client."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


class Reference(StrEnum):
    """What kind of thing a completion refers to; `NONE` in calls of all other methods."""

    NONE = ""
    PROMPT = "prompt"
    RESOURCE = "resource"


class Principal(Struct, frozen=True):
    """The authenticated caller; `claims` is a JSON object as bytes."""

    id: str
    kind: str
    claims: bytes = b"{}"


class Session(Struct, frozen=True):
    """The agent session limits count by, unique together with the principal."""

    id: str
    kind: str


class Client(Struct, frozen=True):
    """The client's name and version by its own account. Never trusted."""

    name: str = ""
    version: str = ""


class Protocol(Struct, frozen=True):
    """The MCP era (`legacy` or `modern`) and version (a date) in use."""

    era: str
    version: str = ""


class Call(Struct, frozen=True, kw_only=True):
    """One MCP message to be judged; `arguments` is strict JSON as bytes.

    `definition` is the digest of the tool's definition as its server lists it now (`pdp.api.definition`),
    "" when that is not known. `approval_id` names the approval that the caller has waited for; it allows nothing.
    """

    request_id: str
    server: str
    method: str
    target: str
    arguments: bytes
    principal: Principal
    session: Session
    client: Client
    protocol: Protocol
    transport: str
    phase: Phase = Phase.CALL
    direction: Direction = Direction.TO_SERVER
    is_retry: bool = False
    trace_id: str = ""
    definition: str = ""
    reference: Reference = Reference.NONE
    approval_id: str = ""


class Reason(Struct, frozen=True):
    """Why: a stable snake_case `code`, and a `message` for the agent."""

    code: str
    message: str


class LimitResult(Struct, frozen=True):
    """The result of one limit. Times: `window` in seconds, `retry_after_ms` in milliseconds.

    `retry_after_ms` is 0 when the limit passed and -1 when the call can never pass. A `shadow` limit
    that did not pass refuses nothing. With the `algorithm` concurrency, what an allowed call holds
    is given back when the call ends.
    """

    name: str
    scope: str
    max: int
    window: int
    cost: int
    remaining: int
    passed: bool
    retry_after_ms: int = 0
    shadow: bool = False
    algorithm: str = "sliding_log"


class Obligation(Struct, frozen=True):
    """What the enforcement point must do with an allow; `properties` is a JSON object as bytes."""

    type: str
    properties: bytes = b"{}"


class ShadowFinding(Struct, frozen=True):
    """A rule that fired but is not enforced."""

    effect: Effect
    reason: Reason
    rule: str


class Appearance(Struct, frozen=True):
    """The denial that a caller gets for a hidden target: the same as for one that no rule names."""

    effect: Effect
    reason: Reason
    rule: str


class ApprovalState(StrEnum):
    """Where an approval stands; its life is the table of `pdp.approvals.life`."""

    PENDING = "pending"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"
    LAPSED = "lapsed"
    VOID = "void"
    UNKNOWN = "unknown"


class Approval(Struct, frozen=True):
    """The approval of a held call. Times in milliseconds.

    `expires_in_ms` is 0 when the state does not end by itself; `hold_ms` is 0 when the rules leave it to
    the enforcement point how long the caller waits. Without `approvers` everybody who may approve is asked.
    """

    id: str
    state: ApprovalState
    expires_in_ms: int = 0
    approvers: tuple[str, ...] = ()
    hold_ms: int = 0


class Decision(Struct, frozen=True, kw_only=True):
    """One judgement of one call.

    `retry_after_ms` is 0 when waiting does not help and -1 when the call can never pass. A `hidden`
    target without an `appearance` looks like one that its server does not know.
    """

    decision_id: str
    effect: Effect
    reason: Reason
    rule: str = ""
    revision: str = ""
    hidden: bool = False
    limits: tuple[LimitResult, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    shadow: tuple[ShadowFinding, ...] = ()
    retry_after_ms: int = 0
    appearance: Appearance | None = None
    approval: Approval | None = None
