"""The head of a server's answer: the lines that go on, and whether the body can be judged. Pure.

A body can be judged when every client reads the same in it: one `Content-Type`, exactly JSON or an
event stream, in UTF-8 (RFC 8259 section 8.1, HTML section 9.2.5), in a coding that can be undone.
Clients compare the beginning of a media type, take the first or the last of two lines, and follow a
`charset`; so what is not exactly this is not read at all.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from msgspec import Struct

from pep.errors import AnswerUnreadable
from pep.mcp.headers import HOP_BY_HOP, JOINTS, HeaderLines, named_by_connection

MAX_BYTES = 64 * 1024
# Lines that would outlive the answer (a cookie is for all servers behind this proxy), or lead elsewhere.
_NEVER_TO_CLIENT = HOP_BY_HOP | {
    b"set-cookie",
    b"set-cookie2",
    b"clear-site-data",
    b"strict-transport-security",
    b"alt-svc",
    b"refresh",
}
_OF_THE_BODY = frozenset(
    b"content-type content-length content-encoding content-language content-disposition "
    b"content-range content-md5 content-digest repr-digest digest etag last-modified".split()
)
# A part of a body, and a difference to one (RFC 9110 section 15.3.7, RFC 3229).
_PARTS = frozenset({206, 226})
_BODILESS = frozenset({204, 304})
_NAMES = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z \-]*")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TELLING = frozenset(
    {b"connection", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"}
)
_CODINGS = frozenset({b"", b"identity", b"gzip", b"x-gzip", b"deflate"})
# Parameters (RFC 9110 section 5.6.6) but `charset` and its extended forms say nothing of the text.
_MEDIA = re.compile(
    rb"""(application/json|text/event-stream)
    (?: [ \t]* ; [ \t]* (?: charset=(?: utf-?8 | "utf-?8" )
      | (?!charset) [!#$%&'+.^_`|~0-9a-z-]+ = (?: [!#$%&'*+.^_`|~0-9a-z-]+ | "[^"\\=;]*" ) )? )*""",
    re.VERBOSE,
)


class Form(Enum):
    """The declared form of the body."""

    MESSAGE = "message"
    EVENTS = "events"
    UNREADABLE = "unreadable"


class Head(Struct, frozen=True):
    """The head of an answer. `length` is -1 when it is not given; `coding` is that of the body."""

    status: int
    lines: HeaderLines
    form: Form
    coding: bytes
    length: int

    def without_body(self) -> HeaderLines:
        """The lines when the body is kept back, without those that belong to it."""
        kept = [line for line in self.lines if line[0] not in _OF_THE_BODY]
        return kept if self.status in _BODILESS else [*kept, (b"content-length", b"0")]


def read(status: int, raw: tuple[tuple[bytes, bytes], ...], more: HeaderLines) -> Head:
    """The head with the lines that go on, `more` after them; raises `AnswerUnreadable`."""
    if not 200 <= status < 600 or status in _PARTS:
        raise AnswerUnreadable(f"the server answers with the status {status}")
    lines = [(name.lower(), value.strip(b" \t")) for name, value in raw]
    _check_characters(lines)
    values: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        if name in _TELLING:
            values.setdefault(name, []).append(value.lower())
    length = _length(values)
    dropped = _NEVER_TO_CLIENT
    if b"connection" in values:
        dropped |= named_by_connection(lines)
    if status in _BODILESS:
        dropped |= {b"content-length"}  # it may be that of another answer (RFC 9110 section 8.6)
    if 300 <= status < 400:
        dropped |= {b"location", b"content-type"}
    kept = [line for line in lines if line[0].translate(JOINTS) not in dropped]
    media = [] if b"content-type" in dropped else values.get(b"content-type", [])
    codings = [] if b"content-encoding" in dropped else values.get(b"content-encoding", [])
    coding = codings[0] if codings else b""
    is_readable = len(media) == 1 and len(codings) <= 1 and coding in _CODINGS
    form = _form(media[0]) if is_readable else Form.UNREADABLE
    return Head(status, [*kept, *more], form, coding, length)


def _length(values: dict[bytes, list[bytes]]) -> int:
    """The body's length; refuses a body that ends in two places (RFC 9112 section 6.3)."""
    lengths, codings = values.get(b"content-length", []), values.get(b"transfer-encoding", [])
    if codings:
        is_clear = not lengths and codings == [b"chunked"]
    else:
        is_clear = not lengths or (len(lengths) == 1 and lengths[0].isdigit())
    if not is_clear:
        raise AnswerUnreadable("the framing of the server's answer is not clear")
    return int(lengths[0][:18]) if lengths else -1


def _check_characters(lines: HeaderLines) -> None:
    """Refuse lines that some reader might cut elsewhere, and more of them than anybody needs."""
    names, values = map(b" ".join, zip(*lines, strict=True)) if lines else (b"", b"")
    if len(names) + len(values) > MAX_BYTES:
        raise AnswerUnreadable(f"the server's header lines are longer than {MAX_BYTES} bytes")
    if not _NAMES.fullmatch(names) or _CONTROLS.search(values):
        raise AnswerUnreadable("the server's header lines are not those of HTTP")


@lru_cache(maxsize=64)
def _form(media: bytes) -> Form:
    match = _MEDIA.fullmatch(media)
    if match is None:
        return Form.UNREADABLE
    return Form.MESSAGE if match[1] == b"application/json" else Form.EVENTS
