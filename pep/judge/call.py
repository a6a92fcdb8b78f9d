"""From an admitted message and the facts around it to the `Call` that is judged. Pure."""

from __future__ import annotations

import re
from typing import Any

from pdp.api.bounds import MAX_NAME, MAX_TARGET
from pdp.api.model import Call, Client, Principal, Protocol, Session
from pep.callers.session import LegacySession
from pep.mcp.admit import Admitted
from pep.mcp.headers import RequestHeaders, decode_mirror
from pep.mcp.jsonrpc import Message, Response, meta_of

_CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
# W3C Trace Context: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE = "0" * 32


def build(
    admitted: Admitted,
    request_headers: RequestHeaders,
    *,
    request_id: str,
    server: str,
    principal: Principal,
    session: Session,
    legacy_session: LegacySession | None,
    transport: str = "http",
) -> Call:
    """Build the call for the message."""
    message = admitted.message
    params, message_meta = params_of(message), meta(message)
    method = "" if isinstance(message, Response) else message.method
    return Call(
        request_id=request_id,
        server=server,
        method=method,
        target=admitted.target,
        arguments=admitted.arguments or b"{}",
        reference=admitted.reference,
        principal=principal,
        session=session,
        client=client_of(method, params, message_meta, legacy_session),
        protocol=Protocol(admitted.era, _version(request_headers, method, params)[:MAX_NAME]),
        transport=transport,
        is_retry="inputResponses" in params or "requestState" in params,
        trace_id=trace_id(request_headers.traceparent, message_meta),
    )


def unread(
    request_headers: RequestHeaders,
    verb: str,
    *,
    request_id: str,
    server: str,
    era: str,
    principal: Principal,
    session: Session,
) -> Call:
    """Build the call for a request without a message, or before its message was read."""
    name = decode_mirror(request_headers.name) if request_headers.name is not None else None
    return Call(
        request_id=request_id,
        server=server,
        method=(request_headers.method or verb)[:MAX_NAME],
        target=(name or "")[:MAX_TARGET],
        arguments=b"{}",
        principal=principal,
        session=session,
        client=Client(),
        protocol=Protocol(era, request_headers.version[:MAX_NAME]),
        transport="http",
        trace_id=trace_id(request_headers.traceparent, {}),
    )


def client_of(
    method: str,
    params: dict[str, Any],
    meta: dict[str, Any],
    legacy_session: LegacySession | None = None,
) -> Client:
    """The client's own claims about itself, in this message or at its session's start. Never trusted."""
    info = params.get("clientInfo") if method == "initialize" else meta.get(_CLIENT_KEY)
    if isinstance(info, dict):
        return Client(_short(info.get("name")), _short(info.get("version")))
    return legacy_session.client if legacy_session else Client()


def trace_id(header: str, meta: dict[str, Any]) -> str:
    """The trace id of a well-formed `traceparent`, from the header or from `_meta`; or ""."""
    for candidate in (header, meta.get("traceparent")):
        traceparent = _TRACEPARENT.fullmatch(candidate) if isinstance(candidate, str) else None
        if traceparent and traceparent[1] != _NO_TRACE:
            return traceparent[1]
    return ""


def params_of(message: Message) -> dict[str, Any]:
    """The parameters; `{}` where there are none."""
    return {} if isinstance(message, Response) else message.params


def meta(message: Message) -> dict[str, Any]:
    """The `_meta` of the parameters; `{}` where there is none."""
    return {} if isinstance(message, Response) else meta_of(message)


def _version(request_headers: RequestHeaders, method: str, params: dict[str, Any]) -> str:
    """The version in use; before the handshake has settled it, the one that the client proposes."""
    proposed = params.get("protocolVersion")
    if request_headers.version:
        return request_headers.version
    return proposed if method == "initialize" and isinstance(proposed, str) else ""


def _short(value: Any) -> str:
    return value[:MAX_NAME] if isinstance(value, str) else ""
