"""The ids, progress tokens and subscriptions that tell which request a JSON-RPC message is about. Pure.

Ids and tokens of clients that share a child may collide there, so each request gets a number of our
own on its way to the child, and each answer or notification gets the client's own id and token back.

A line of a server is read as its client would read it, or not at all: an envelope with two keys that
are equal or look alike could answer one request for us and another for the client.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pep.mcp import json_splice
from pep.mcp.jsonrpc import ENVELOPE, Id
from pep.mcp.lines import is_one

CANCELLED = "notifications/cancelled"
PROGRESS = "notifications/progress"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
_TOKEN = ("params", "_meta", "progressToken")
_PLAIN_DIGITS = 18


class Addressed(Struct, frozen=True):
    """The addressing members of a message. An answer has no method, a notification has no id.

    `token` is the progress token that a request sets, or that a notification names;
    `cancels` is the request that a cancellation names.
    """

    method: str = ""
    id: Id | None = None
    token: Id | float | None = None
    subscription: Id | float | None = None
    cancels: Id | None = None
    raw_id: bytes = b""
    raw_token: bytes = b""

    @property
    def is_answer(self) -> bool:
        """Whether the message is an answer to a request."""
        return not self.method

    @property
    def is_request(self) -> bool:
        """Whether the message is a request, which wants an answer."""
        return bool(self.method) and self.id is not None


class _Meta(Struct):
    token: Raw | UnsetType = msgspec.field(default=UNSET, name="progressToken")
    subscription: Raw | UnsetType = msgspec.field(default=UNSET, name=SUBSCRIPTION_KEY)


class _Params(Struct):
    meta: _Meta | None = msgspec.field(default=None, name="_meta")
    token: Raw | UnsetType = msgspec.field(default=UNSET, name="progressToken")
    cancels: Raw | UnsetType = msgspec.field(default=UNSET, name="requestId")


_decode_text = msgspec.json.Decoder(str).decode
_decode_params = msgspec.json.Decoder(_Params).decode


def read(message: bytes) -> Addressed:
    """Read one message; raises `ValueError` unless it is a message that all parsers read alike."""
    try:
        return _read(message)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_line(line: bytes | None) -> Addressed:
    """Read a line of a server, `None` for one that was too long; raises `ValueError` as `read` does."""
    if line is None or not is_one(line):
        raise ValueError("too long, or more than one line")
    if not line.isascii():
        line.decode()  # JSON is UTF-8 (RFC 8259 section 8.1); some readers drop other bytes, and some do not
    return read(line)


def _read(message: bytes) -> Addressed:
    members = json_splice.distinct_members(message)
    lookalike = ENVELOPE.lookalike(members)
    if lookalike is not None:
        raise ValueError(f"the key {lookalike[:64]!r} looks like another key of the protocol")
    raw_id = bytes(members["id"]) if "id" in members else b""
    request_id = _id(raw_id) if raw_id else None
    if "method" in members:
        method = _decode_text(members["method"])
        if not method:
            raise ValueError("the method is empty")
        return _call(method, request_id, raw_id, bytes(members.get("params", b"{}")))
    if request_id is None or not ("result" in members or "error" in members):
        raise ValueError("neither a request, a notification nor an answer")
    return Addressed(id=request_id, raw_id=raw_id)


def _call(method: str, request_id: Id | None, raw_id: bytes, params: bytes) -> Addressed:
    named = _decode_params(params)
    meta = named.meta or _Meta()
    token = meta.token
    if request_id is None and named.token is not UNSET:
        token = named.token
    raw_token, raw_subscription = _raw(token), _raw(meta.subscription)
    numbers_and_texts = (int, str, float)
    addressed = Addressed(
        method,
        request_id,
        _scalar(raw_token, numbers_and_texts),
        _scalar(raw_subscription, numbers_and_texts),
        _scalar(_raw(named.cancels), (int, str)) if method == CANCELLED else None,
        raw_id,
        raw_token,
    )
    if (raw_token and addressed.token is None) or (
        raw_subscription and addressed.subscription is None
    ):
        raise ValueError("its progress token or its subscription is no text and no number")
    return addressed


def _raw(value: Raw | UnsetType) -> bytes:
    """The value's bytes; empty for a value that is absent or null."""
    return b"" if value is UNSET or (data := bytes(value)) == b"null" else data


def _id(value: bytes) -> Id:
    request_id: Id | None = _scalar(value, (int, str))
    if request_id is None:
        raise ValueError("its id is neither a string nor an integer")
    return request_id


def _scalar(value: bytes, types: tuple[type, ...]) -> Any:
    """The value, or `None` when its type is not among `types`: `true` and 1.0 are not 1."""
    if not value:
        return None
    if value.isdigit() and len(value) <= _PLAIN_DIGITS:
        return int(value)
    parsed = json.loads(value)
    if type(parsed) not in types:
        return None
    if isinstance(parsed, str):
        parsed.encode()  # a lone surrogate could not be written back
    return parsed


def numbered_request(message: bytes, number: int) -> bytes:
    """A client's request with a number of our own as its id and its progress token."""
    own = b"%d" % number
    return json_splice.replaced(json_splice.replaced(message, ("id",), own), _TOKEN, own)


def numbered_notification(message: bytes, number: int) -> bytes:
    """A client's notification about a request, with the request's number at the child."""
    own = b"%d" % number
    for path in (
        ("params", "requestId"), ("params", "progressToken"), ("params", "_meta", SUBSCRIPTION_KEY),
    ):  # fmt: skip
        message = json_splice.replaced(message, path, own)
    return message


def cancellation(number: int) -> bytes:
    """The notification that cancels the request of that number."""
    params = b'{"requestId":%d}' % number
    return b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%s}' % params


def returned_answer(line: bytes, request: Addressed) -> bytes:
    """A child's answer with the client's own id in it."""
    line = json_splice.replaced(line, ("id",), request.raw_id)
    return json_splice.replaced(line, ("result", "_meta", SUBSCRIPTION_KEY), request.raw_id)


def returned_notification(line: bytes, request: Addressed) -> bytes:
    """A child's notification with the client's own token or subscription in it."""
    line = json_splice.replaced(line, ("params", "_meta", SUBSCRIPTION_KEY), request.raw_id)
    if not request.raw_token:
        return line
    return json_splice.replaced(line, ("params", "progressToken"), request.raw_token)
