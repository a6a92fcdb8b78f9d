"""The JSON-RPC code and the HTTP status of each refusal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from pep.errors import (
    AnswerUnasked,
    AnswerUnreadable,
    ApprovalRequired,
    BodyTooLarge,
    BodyTooSlow,
    CredentialInvalid,
    CredentialMissing,
    DecisionAway,
    HeaderMismatch,
    HeadTooLarge,
    HeadTooSlow,
    HostRefused,
    InvalidParams,
    InvalidRequest,
    KeysAway,
    LimitReached,
    MediaUnsupported,
    MethodNotFound,
    OriginRefused,
    ParseError,
    PathNotFound,
    PolicyDenied,
    Refusal,
    ServerBusy,
    SessionNotFound,
    TooManyUnderWay,
    Unexpected,
    UpstreamAway,
    VerbNotAllowed,
    WorkerAway,
)


class Wire(Struct, frozen=True):
    """The JSON-RPC `code` and the HTTP `status` of a refusal."""

    code: int
    status: int


# Codes of our own are positive: -32000..-32019 are closed to new uses, and -32020..-32099 belong to
# the specification (MCP 2026-07-28, error codes).
WIRE: Mapping[type[Refusal], Wire] = MappingProxyType(
    {
        ParseError: Wire(-32700, 400),
        InvalidRequest: Wire(-32600, 400),
        InvalidParams: Wire(-32602, 400),
        HeaderMismatch: Wire(-32020, 400),
        MethodNotFound: Wire(-32601, 404),
        PathNotFound: Wire(-32600, 404),
        SessionNotFound: Wire(-32600, 404),
        AnswerUnasked: Wire(-32600, 400),
        CredentialMissing: Wire(4010, 401),
        CredentialInvalid: Wire(4010, 401),
        VerbNotAllowed: Wire(-32600, 405),
        BodyTooLarge: Wire(-32600, 413),
        BodyTooSlow: Wire(-32600, 408),
        HeadTooLarge: Wire(-32600, 431),
        HeadTooSlow: Wire(-32600, 408),
        MediaUnsupported: Wire(-32600, 415),
        TooManyUnderWay: Wire(4290, 429),
        HostRefused: Wire(-32600, 421),
        OriginRefused: Wire(-32600, 403),
        PolicyDenied: Wire(4030, 200),
        LimitReached: Wire(4290, 200),
        ApprovalRequired: Wire(4031, 200),
        AnswerUnreadable: Wire(5021, 502),
        UpstreamAway: Wire(5020, 502),
        ServerBusy: Wire(5022, 503),
        DecisionAway: Wire(5030, 503),
        KeysAway: Wire(5030, 503),
        WorkerAway: Wire(5030, 503),
        Unexpected: Wire(-32603, 500),
    }
)
