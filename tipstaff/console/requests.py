"""Which requests the console takes: from which place, with which cookie, in which form. Pure.

A page of another site can make a browser send requests here, with the person's cookie if it is not kept
back. So what changes something is taken only from our own pages, by what the browser itself says of it
(Fetch Metadata, else `Origin`), and with a token that stands in the form. Another host name that leads
here (DNS rebinding) is refused before anything else.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from msgspec import Struct

MAX_FORM = 16 * 1024
_MOST_FIELDS = 16
_LONGEST = 4096
_FORM = b"application/x-www-form-urlencoded"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY_LINES: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)
"""Header lines of every answer."""


class RefusedError(Exception):
    """A request that is not taken, with the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class Heads(Struct, frozen=True):
    """The header lines of a request that matter here; "" for one that is not there."""

    host: str = ""
    origin: str = ""
    fetch_site: str = ""
    cookie: str = ""
    content_type: str = ""


def heads(lines: Iterable[tuple[bytes, bytes]]) -> Heads:
    """Read the header lines; raises `RefusedError` for one that stands twice."""
    names = {
        b"host": "host",
        b"origin": "origin",
        b"sec-fetch-site": "fetch_site",
        b"cookie": "cookie",
        b"content-type": "content_type",
    }
    values: dict[str, str] = {}
    for name, value in lines:
        field = names.get(name.lower())
        if field is None:
            continue
        if field in values:
            raise RefusedError(400, f"the header {field} stands twice")
        values[field] = value.decode("latin-1").strip()
    return Heads(**values)


def check_host(request: Heads, port: int) -> None:
    """Refuse a request to a name that is not ours; raises `RefusedError`."""
    if request.host.lower() not in {f"{name}:{port}" for name in _LOOPBACK}:
        raise RefusedError(421, "this console is reached at 127.0.0.1 only")


def check_own(request: Heads) -> None:
    """Refuse a request that no page of ours has made; raises `RefusedError`."""
    if request.fetch_site:
        is_own = request.fetch_site == "same-origin"
    else:
        is_own = request.origin == f"http://{request.host}"
    if not is_own:
        raise RefusedError(403, "this request does not come from a page of this console")


def form(request: Heads, body: bytes) -> Mapping[str, str]:
    """The fields of a form; raises `RefusedError` for anything else, and for a field that stands twice."""
    media = request.content_type.partition(";")[0].strip().lower()
    if media.encode() != _FORM:
        raise RefusedError(415, "a form is expected")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            errors="strict", max_num_fields=_MOST_FIELDS,
        )  # fmt: skip
    except ValueError as error:
        raise RefusedError(400, "the form cannot be read") from error
    read = dict(pairs)
    if len(read) != len(pairs):
        raise RefusedError(400, "a field stands twice")
    return read


def fields(query: bytes) -> Mapping[str, str]:
    """The fields of an address; those that cannot be read, or are too long, are left out."""
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: value for name, value in pairs if len(value) <= _LONGEST}


def check_token(sent: Mapping[str, str], token: str) -> None:
    """Refuse a form without the session's token; raises `RefusedError`."""
    if not hmac.compare_digest(sent.get("token", "").encode(), token.encode()):
        raise RefusedError(403, "this form belongs to another session: load the page again")


def cookie(request: Heads, name: str) -> str:
    """The value of a cookie, "" when it is not there or there twice."""
    pairs = (part.strip().partition("=") for part in request.cookie.split(";"))
    values = [value for key, _, value in pairs if key == name]
    return values[0] if len(values) == 1 else ""
