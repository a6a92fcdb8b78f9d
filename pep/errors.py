"""The errors of the enforcement point, as one tree split by whose fault it is.

    PepError
    ├── StartError              the proxy cannot start                        (the operator's)
    └── Refusal                 a message is answered here and not forwarded
        ├── ClientFault         the message is not one that may be judged     (the client's)
        │   ├── ParseError          not strict JSON
        │   ├── InvalidRequest      not one JSON-RPC message
        │   ├── InvalidParams       a parameter that names the target is missing or wrong
        │   ├── HeaderMismatch      headers and body disagree
        │   ├── MethodNotFound      a method this enforcement point does not know in this era
        │   ├── PathNotFound        no server is registered under this path
        │   ├── SessionNotFound     the session belongs to another caller
        │   ├── AnswerUnasked       an answer to a request that the session was not shown
        │   ├── CredentialMissing   the server accepts authenticated callers only
        │   ├── CredentialInvalid   the credential is not valid
        │   ├── VerbNotAllowed      an HTTP method that MCP does not use here
        │   ├── BodyTooLarge        more bytes than are read
        │   ├── BodyTooSlow         the bytes did not come in time
        │   ├── HeadTooLarge        more header bytes than are read
        │   ├── HeadTooSlow         the header lines did not come in time
        │   ├── MediaUnsupported    not JSON in UTF-8
        │   ├── TooManyUnderWay     the caller has reached the bound of one caller
        │   ├── HostRefused         the Host is not one of ours (DNS rebinding)
        │   └── OriginRefused       the Origin may not use this proxy
        ├── Denial              the decision was no                           (nobody's)
        │   ├── PolicyDenied        a rule denies, or none permits
        │   ├── LimitReached        a budget is used up
        │   └── ApprovalRequired    a person must be asked first
        ├── UpstreamFault       the server did not answer                     (the upstream's)
        │   ├── AnswerUnreadable    its answer cannot be told from one to be hidden
        │   ├── ServerBusy          a server that is run here cannot take one more request
        │   └── UpstreamAway
        └── OurFault            no decision could be had                      (ours)
            ├── DecisionAway
            ├── KeysAway            the keys or tokens that verify credentials cannot be read
            ├── WorkerAway          the worker that keeps the session does not answer
            └── Unexpected

Each class has a stable `code`; `pep.mcp.error_codes` has what it is on the wire.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PepError(Exception):
    """The root of the tree: never raised itself."""

    code: ClassVar[str] = "internal"


class StartError(PepError):
    """The proxy cannot start; the message says what to do."""

    code = "start_failed"


class Refusal(PepError):
    """A message that is answered here; `data` is for the JSON-RPC error, `lines` are header lines."""

    def __init__(self, message: str, data: Any = None) -> None:
        """Keep the parts of the answer."""
        super().__init__(message)
        self.message = message
        self.data = data
        self.lines: tuple[tuple[bytes, bytes], ...] = ()


class ClientFault(Refusal):
    """The message is not one that may be judged."""


class ParseError(ClientFault):
    """The body is not JSON that every parser reads alike."""

    code = "parse_error"


class InvalidRequest(ClientFault):
    """The body is not one JSON-RPC 2.0 message, or its framing is ambiguous."""

    code = "invalid_request"


class InvalidParams(ClientFault):
    """A parameter that the protocol demands is missing or of the wrong type."""

    code = "invalid_params"


class HeaderMismatch(ClientFault):
    """Headers and body disagree (MCP 2026-07-28, header validation)."""

    code = "header_mismatch"


class MethodNotFound(ClientFault):
    """The method is not in the table for this era."""

    code = "method_not_found"


class PathNotFound(ClientFault):
    """No server is registered under this path."""

    code = "path_not_found"


class SessionNotFound(ClientFault):
    """The session belongs to another caller; not to be told from one that does not exist."""

    code = "session_not_found"


class AnswerUnasked(ClientFault):
    """The client answers a request of the server that it was not shown, or answers it again."""

    code = "answer_unasked"


class CredentialMissing(ClientFault):
    """The server accepts authenticated callers only, and the request has no credential."""

    code = "credential_missing"


class CredentialInvalid(ClientFault):
    """The request's credential is not valid; the message holds nothing of it."""

    code = "credential_invalid"


class VerbNotAllowed(ClientFault):
    """The HTTP method is not used by MCP here."""

    code = "verb_not_allowed"


class BodyTooLarge(ClientFault):
    """The body has more bytes than are read."""

    code = "body_too_large"


class BodyTooSlow(ClientFault):
    """The body did not arrive in time."""

    code = "body_too_slow"


class HeadTooLarge(ClientFault):
    """The header lines have more bytes than are read (RFC 6585 section 5)."""

    code = "head_too_large"


class HeadTooSlow(ClientFault):
    """The header lines did not arrive in time."""

    code = "head_too_slow"


class MediaUnsupported(ClientFault):
    """The body is not declared as plain JSON in UTF-8."""

    code = "media_unsupported"


class TooManyUnderWay(ClientFault):
    """The caller has as many requests under way, or waiting, as one caller may have."""

    code = "too_many_under_way"


class HostRefused(ClientFault):
    """The Host header names a host that is not ours."""

    code = "host_refused"


class OriginRefused(ClientFault):
    """The Origin header names a site that may not use this proxy."""

    code = "origin_refused"


class Denial(Refusal):
    """The decision was no."""


class PolicyDenied(Denial):
    """A rule denies the call, or none permits it."""

    code = "policy_denied"


class LimitReached(Denial):
    """A budget is used up."""

    code = "limit_reached"


class ApprovalRequired(Denial):
    """A person must approve the call first."""

    code = "approval_required"


class UpstreamFault(Refusal):
    """The upstream server is at fault."""


class UpstreamAway(UpstreamFault):
    """The upstream server did not answer."""

    code = "upstream_away"


class ServerBusy(UpstreamFault):
    """A server that is run here has no process to spare, or does not read what it is sent."""

    code = "server_busy"


class AnswerUnreadable(UpstreamFault):
    """The server's message cannot be told apart from one that would have to be hidden."""

    code = "answer_unreadable"


class OurFault(Refusal):
    """Tipstaff itself is at fault."""


class DecisionAway(OurFault):
    """No decision could be had."""

    code = "decision_away"


class KeysAway(OurFault):
    """The keys or tokens that verify credentials cannot be read."""

    code = "keys_away"


class WorkerAway(OurFault):
    """The worker that keeps what the request needs does not answer."""

    code = "worker_away"


class Unexpected(OurFault):
    """An unforeseen fault."""

    code = "unexpected"
