"""HTTP header lines, inwards and outwards. Pure; knows MCP's mirrors and eras, but no method.

HeaderLines stay separate, raw and in order: a proxy that folds repeated lines hides the very repetition
that must be refused. Names are lower case, as the server hands them over.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from msgspec import Struct

from pep.errors import (
    HeaderMismatch,
    HostRefused,
    InvalidParams,
    InvalidRequest,
    MediaUnsupported,
    OriginRefused,
)
from pep.mcp.methods import LEGACY, MODERN

HeaderLines = list[tuple[bytes, bytes]]

BOTH_MEDIA = b"application/json, text/event-stream"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
HANDSHAKE_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})

_MIRRORS = frozenset({b"mcp-protocol-version", b"mcp-method", b"mcp-name"})
_ONCE = _MIRRORS | frozenset(
    b"mcp-session-id tipstaff-session authorization host origin content-type content-encoding "
    b"content-length transfer-encoding".split()
)
_PARAMETER = b"mcp-param-"
# Behind CGI and the like all punctuation in a name is the same: `X_Api.Key` is read as `X-Api-Key`.
JOINTS = bytes.maketrans(b"!#$%&'*+.^_`|~", b"-" * 14)
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer "
    b"transfer-encoding upgrade".split()
)
_NEVER_FORWARDED = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"tipstaff-session",
    b"cookie",
}
_NEVER_FORWARDED_STRIPPED = _NEVER_FORWARDED | {b"authorization"}
# Codings that this proxy can decode; an answer in another coding could not be judged.
_READABLE = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"})
_BASE64_HEAD, _BASE64_TAIL = "=?base64?", "?="


class RequestHeaders(Struct, frozen=True):
    """The header lines of a request that matter here, each at most once; "" when absent."""

    version: str = ""
    method: str = ""
    name: str | None = None
    session: str = ""
    cooperative: str = ""
    authorization: str = ""
    host: str = ""
    origin: str = ""
    media: str = ""
    encoding: str = ""
    framing: str = ""
    length: int = 0
    traceparent: str = ""


def read(lines: HeaderLines) -> RequestHeaders:
    """Read the header lines; raises `HeaderMismatch` or `InvalidRequest` for ambiguous ones."""
    once: dict[bytes, str] = {}
    for name, value in lines:
        if not value.isascii():
            _check_utf8(name, value)
        if name in _ONCE:
            if name in once:
                raise _repeated(name)
            once[name] = _text(name, value)
        elif name == b"traceparent":
            once[name] = value.decode("latin-1")
        elif name == b"connection":
            _check_connection(value)
        elif (joined := name.translate(JOINTS)) in _ONCE or joined.startswith(_PARAMETER):
            if joined in once or not name.startswith(_PARAMETER):
                raise InvalidRequest(f"the header {_shown(name)} looks like another header")
            once[joined] = ""
    get = once.get
    framing = get(b"transfer-encoding", "").lower()
    if framing not in {"", "chunked"} or (framing and b"content-length" in once):
        raise InvalidRequest("Transfer-Encoding must be chunked, without Content-Length")
    return RequestHeaders(
        version=get(b"mcp-protocol-version", ""),
        method=get(b"mcp-method", ""),
        name=get(b"mcp-name"),
        session=get(b"mcp-session-id", ""),
        cooperative=get(b"tipstaff-session", ""),
        authorization=get(b"authorization", ""),
        host=get(b"host", ""),
        origin=get(b"origin", ""),
        media=get(b"content-type", ""),
        encoding=get(b"content-encoding", ""),
        framing=framing,
        length=_length(get(b"content-length", "0")),
        traceparent=get(b"traceparent", ""),
    )


def check_place(
    request_headers: RequestHeaders, hosts: tuple[str, ...], origins: tuple[str, ...]
) -> None:
    """Refuse a Host or an Origin that is not listed, as a defence against DNS rebinding."""
    if not _listed(request_headers.host, hosts):
        raise HostRefused("Invalid Host header")
    if request_headers.origin and not _listed(request_headers.origin, origins):
        raise OriginRefused("Invalid Origin header")


def check_media(request_headers: RequestHeaders) -> None:
    """Refuse a body that is not declared as plain JSON in UTF-8."""
    kind, _, parameters = request_headers.media.lower().partition(";")
    if kind.strip() != "application/json":
        raise MediaUnsupported("Content-Type must be application/json")
    for parameter in filter(None, map(str.strip, parameters.split(";"))):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise MediaUnsupported("charset must be utf-8")
    if request_headers.encoding.lower() not in {"", "identity", "gzip", "deflate"}:
        raise MediaUnsupported("Content-Encoding must be gzip or deflate")


def header_era(request_headers: RequestHeaders) -> str:
    """The era by the header alone, as MCP servers read it."""
    return (
        LEGACY
        if request_headers.version in HANDSHAKE_VERSIONS or not request_headers.version
        else MODERN
    )


def era_of(request_headers: RequestHeaders, meta: dict[str, Any], *, is_request: bool) -> str:
    """The era of a message, from header and body together.

    Raises `HeaderMismatch` when they disagree, `InvalidParams` when a modern request does not say
    its version: a server might otherwise choose another era than the one judged.
    """
    era = header_era(request_headers)
    if VERSION_KEY in meta:
        if era == LEGACY or meta[VERSION_KEY] != request_headers.version:
            raise HeaderMismatch(
                "mcp-protocol-version header does not match the request envelope's protocol version"
            )
    elif era == MODERN and is_request:
        raise InvalidParams(f"params._meta is missing the required envelope key(s): {VERSION_KEY}")
    return era


def check_mirrors(
    request_headers: RequestHeaders, method: str, target: str, *, required: bool, named: bool
) -> None:
    """Compare `Mcp-Method` and `Mcp-Name` with the body; raises `HeaderMismatch`.

    `required`: a modern request, which must carry them. `named`: the body names a `target` that
    `Mcp-Name` must repeat. A mirror that is present must agree in any case.
    """
    if request_headers.method != method and (required or request_headers.method):
        raise HeaderMismatch("mcp-method header does not match the request body's method")
    if request_headers.name is None:
        if required and named:
            raise HeaderMismatch("mcp-name header is missing")
    elif target and decode_mirror(request_headers.name) != target:
        raise HeaderMismatch("mcp-name header does not match the request body")


def decode_mirror(value: str) -> str | None:
    """The value of a mirror, its `=?base64?...?=` form decoded; `None` when that is malformed."""
    if not (value.startswith(_BASE64_HEAD) and value.endswith(_BASE64_TAIL)):
        return value
    payload = value[len(_BASE64_HEAD) : -len(_BASE64_TAIL)]
    try:
        decoded = base64.b64decode(payload, validate=True)
        if base64.b64encode(decoded).decode() != payload:
            return None
        return decoded.decode()
    except (binascii.Error, ValueError):
        return None


def to_upstream(
    lines: HeaderLines,
    authority: bytes,
    *,
    passthrough: bool,
    credentials: tuple[tuple[bytes, bytes], ...] = (),
) -> HeaderLines:
    """The lines to send on: hop-by-hop and framing lines dropped, Host set to the upstream's.

    Credentials were given to this proxy, so they stay here, unless the server's entry says
    `auth = "passthrough"`; then Authorization goes on, and cookies still do not. `credentials` are
    this proxy's own for the server: they take the place of any line that is read by their name.
    """
    dropped = _NEVER_FORWARDED if passthrough else _NEVER_FORWARDED_STRIPPED
    if named := named_by_connection(lines):
        dropped |= named
    if credentials:
        dropped |= {name.translate(JOINTS) for name, _ in credentials}
    kept = [_readable(line) for line in lines if line[0].translate(JOINTS) not in dropped]
    return [(b"host", authority), *kept, *credentials]


def named_by_connection(lines: HeaderLines) -> frozenset[bytes]:
    """The names that `Connection` makes hop-by-hop (RFC 9110 section 7.6.1)."""
    return frozenset(
        token.strip().lower().translate(JOINTS)
        for name, value in lines
        if name == b"connection"
        for token in value.split(b",")
    )


def _readable(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """An Accept-Encoding without the codings in which answers could not be read."""
    if line[0] != b"accept-encoding":
        return line
    codings = line[1].lower().split(b",")
    kept = [coding.strip() for coding in codings if coding.partition(b";")[0].strip() in _READABLE]
    return line if len(kept) == len(codings) else (line[0], b", ".join(kept) or b"identity")


def _check_connection(value: bytes) -> None:
    """Refuse `Connection: mcp-name` and the like, which drop header lines that the server is to check."""
    for token in map(bytes.strip, value.lower().split(b",")):
        joined = token.translate(JOINTS)
        if joined in _ONCE | {b"accept"} or joined.startswith(_PARAMETER):
            raise InvalidRequest(f"Connection must not name {_shown(token)}")


def _repeated(name: bytes) -> HeaderMismatch | InvalidRequest:
    message = f"{_shown(name)} header appears more than once"
    return HeaderMismatch(message) if name in _MIRRORS else InvalidRequest(message)


def _text(name: bytes, value: bytes) -> str:
    try:
        return value.decode("ascii").strip()
    except UnicodeDecodeError as error:
        if name in _MIRRORS:
            raise HeaderMismatch(f"{_shown(name)} header is not ASCII") from error
        raise InvalidRequest(f"{_shown(name)} header is not ASCII") from error


def _check_utf8(name: bytes, value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{_shown(name)} header is not UTF-8") from error


def _length(text: str) -> int:
    if not text.isdigit():
        raise InvalidRequest("Content-Length must be a number")
    return int(text[:20])


def _listed(value: str, patterns: tuple[str, ...]) -> bool:
    """Whether `value` is one of `patterns`; `name:*` is `name` with any port or none."""
    value = value.lower()
    for pattern in patterns:
        if pattern in {"*", value}:
            return True
        if pattern.endswith(":*"):
            name, port = pattern[:-2], value[len(pattern) - 2 :]
            if value.startswith(name) and (not port or (port[0] == ":" and port[1:].isdigit())):
                return True
    return False


def _shown(name: bytes) -> str:
    return name.decode("latin-1")
