"""Masks a call and its decision for the record: texts masked, documents masked and bounded. Pure.

The caller's identity is no secret, and a record without it is of no use: `jwt:alice` is a name, though
it looks like a key with its secret. So in the principal, and in a session that is the principal itself,
only text in the form of a known credential is masked.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from pdp.api.model import Call, Client, Decision, Principal, Protocol, Reason, Session
from pdp.records.documents import Masked, masked_document
from pdp.rules import claims
from pdp.rules.claims import ClaimsRead
from pdp.tools.catalogue import Tool
from tipstaff.common.masking import masked_credentials, masked_text, may_hold_secret

NO_MEMBERS = b"{}"
# Pointers to fields that are not part of the policy's `input`.
BESIDE_INPUT = frozenset({"/trace_id"})
_CLAIMS = "/principal/claims"


class PolicyInput(Struct, frozen=True):
    """The policy's `input` for one call, and the tool that it is about; `is_known` when an earlier call had its answer."""

    document: bytes
    tool: Tool
    claims_read: ClaimsRead = None
    is_known: bool = False


class Shown(Struct):
    """A call, its decision and its fault as a record may show them, with pointers (RFC 6901) to what is missing.

    Parts in `masked` were replaced, in `omitted` too large, in `unread` not read by any rule.
    """

    call: Call
    decision: Decision
    fault: str
    arguments: Masked
    annotations: Masked
    claims: Masked
    masked: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything that rules could read is shown unchanged."""
        return not self.omitted and BESIDE_INPUT.issuperset(self.masked)


def what_may_be_shown(
    call: Call, decision: Decision, fault: str, question: PolicyInput | None
) -> Shown:
    """Mask every text that a caller wrote or that may quote one, and bound every document.

    One scan of all texts together is enough when none can hold a secret.
    """
    read, is_whole = NO_MEMBERS, True
    if question and call.principal.claims != NO_MEMBERS:
        read, is_whole = claims.kept(call.principal.claims, question.claims_read)
    annotations = bytes(question.tool.annotations) if question else NO_MEMBERS
    shown = Shown(
        call,
        decision,
        fault,
        arguments=masked_document(call.arguments),
        annotations=_masked_once(annotations),
        claims=_masked_once(read),
        unread=() if is_whole else (_CLAIMS,),
    )
    _point(shown)
    call = _with_identity(shown, call)
    texts = _texts(call)
    reasons = (
        decision.reason.message,
        *(finding.reason.message for finding in decision.shadow),
        fault,
    )
    if may_hold_secret("\n".join((*texts.values(), *reasons))):
        safe = {at: masked_text(text) for at, text in texts.items()}
        shown.masked += tuple(at for at, text in texts.items() if safe[at] != text)
        shown.call, shown.decision = _with(call, safe), _masked_decision(decision)
        shown.fault = masked_text(fault)
    return shown


def _point(shown: Shown) -> None:
    """Add pointers to what a document lacks."""
    for at, document in (
        ("/arguments", shown.arguments),
        ("/annotations", shown.annotations),
        (_CLAIMS, shown.claims),
    ):
        if document.pointers:
            shown.masked += tuple(at + rest for rest in document.pointers)
        if document.is_omitted:
            shown.omitted += (at,)


def _with_identity(shown: Shown, call: Call) -> Call:
    """The call with its caller's name, without a credential that the name may hold."""
    identity = call.principal.id
    safe = _masked_identity(identity)
    if safe == identity:
        return call
    principal, session = Principal(safe, call.principal.kind, call.principal.claims), call.session
    shown.masked += ("/principal/id",)
    if session.id == identity:
        shown.masked += ("/session/id",)
        session = Session(safe, session.kind)
    shown.call = replace(call, principal=principal, session=session)
    return shown.call


def _texts(call: Call) -> dict[str, str]:
    """Every text that a caller chooses, by its place in the record."""
    texts = {
        "/method": call.method,
        "/target": call.target,
        "/request_id": call.request_id,
        "/trace_id": call.trace_id,
        "/client/name": call.client.name,
        "/client/version": call.client.version,
        "/protocol/version": call.protocol.version,
    }
    if call.session.id != call.principal.id:
        texts["/session/id"] = call.session.id
    return texts


def _with(call: Call, texts: dict[str, str]) -> Call:
    """The call with the texts of `_texts` replaced."""
    return replace(
        call,
        method=texts["/method"],
        target=texts["/target"],
        request_id=texts["/request_id"],
        trace_id=texts["/trace_id"],
        session=Session(texts.get("/session/id", call.session.id), call.session.kind),
        client=Client(texts["/client/name"], texts["/client/version"]),
        protocol=Protocol(call.protocol.era, texts["/protocol/version"]),
    )


def _masked_decision(decision: Decision) -> Decision:
    shadow = tuple(
        replace(finding, reason=_masked_reason(finding.reason)) for finding in decision.shadow
    )
    return replace(decision, reason=_masked_reason(decision.reason), shadow=shadow)


def _masked_reason(reason: Reason) -> Reason:
    return replace(reason, message=masked_text(reason.message))


@lru_cache(maxsize=4096)
def _masked_identity(identity: str) -> str:
    """The masked name of a caller, cached because it comes with every call."""
    return masked_credentials(identity)


@lru_cache(maxsize=256)
def _masked_once(data: bytes) -> Masked:
    """A masked document, cached because it comes with every call: a tool's annotations, a caller's claims."""
    return masked_document(data)
