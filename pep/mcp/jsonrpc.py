"""JSON-RPC messages as bytes and back. Does no I/O and knows no MCP method.

A message is parsed only to be judged: what is forwarded later is `body`, the bytes themselves. So
the parse refuses whatever another parser could read differently: everything `pdp.api.strict_json`
refuses, arrays of messages, a message that is both a request and a response, and keys that merely
look like the keys of the protocol (`Params`, or `params` with a long s), because some parsers match keys loosely.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Literal, TypeAlias, TypeGuard

import msgspec
from msgspec import Raw, Struct

from pdp.api import strict_json
from pep.errors import InvalidRequest, ParseError, Refusal
from pep.mcp.counts import check_counts
from pep.mcp.error_codes import WIRE
from pep.mcp.lookalikes import KnownKeys, keys

Id = str | int


class _Reply(Enum):
    NONE = "none"


NO_REPLY = _Reply.NONE
"""Stands in place of an id: for a notification or a response, which get no response."""
ReplyTo: TypeAlias = Id | Literal[_Reply.NONE] | None
"""The id that a message is answered under; `None` when it cannot be told (JSON-RPC 2.0 section 5)."""

ENVELOPE = keys("jsonrpc", "id", "method", "params", "result", "error")
_PARAMS = keys(
    "_meta", "name", "arguments", "uri", "taskId", "ref", "argument", "context", "cursor",
    "level", "notifications", "inputResponses", "requestState", "protocolVersion",
    "capabilities", "clientInfo", "requestId", "task",
)  # fmt: skip
# The objects among the parameters whose members the protocol describes.
_OBJECTS = {
    "_meta": keys(
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/clientCapabilities",
        "tipstaff/session",
        "progressToken",
        "traceparent",
    ),
    "ref": keys("type", "name", "uri"),
    "argument": keys("name", "value"),
    "context": keys("arguments"),
    "notifications": keys(
        "toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions"
    ),
    "clientInfo": keys("name", "version"),
}


class Request(Struct, frozen=True):
    """A message that wants an answer. `params` is `{}` when absent."""

    body: bytes
    id: Id
    method: str
    params: dict[str, Any]


class Notification(Struct, frozen=True):
    """A message that wants no answer."""

    body: bytes
    method: str
    params: dict[str, Any]


class Response(Struct, frozen=True):
    """A client's answer to a request of the server (legacy era only)."""

    body: bytes
    id: Id


Message = Request | Notification | Response


class Envelope(Struct, frozen=True):
    """An object whose keys all parsers read alike; `read` tells whether it is a message.

    So an object that is not a message can be refused under its id, or without an answer.
    """

    body: bytes
    members: dict[str, Any]
    reply_to: ReplyTo


def open_envelope(body: bytes) -> Envelope:
    """Parse the envelope, the first half of `parse`; raises `ParseError` or `InvalidRequest`."""
    try:
        value = strict_json.loads(body)
    except strict_json.StrictJsonError as error:
        raise ParseError(f"Parse error: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequest("Body must be a single JSON-RPC message object")
    _refuse_lookalikes(value, ENVELOPE)
    return Envelope(body, value, _reply_to(value))


def read(envelope: Envelope) -> Message:
    """Read the message; raises `InvalidRequest`, or `InvalidParams` for parameters that name too much."""
    body, value = envelope.body, envelope.members
    if value.get("jsonrpc") != "2.0":
        raise InvalidRequest('jsonrpc must be "2.0"')
    if "method" not in value:
        return _response(body, value)
    return _call(body, value)


def parse(body: bytes) -> Message:
    """Read one message; raises what `open_envelope` and `read` raise."""
    return read(open_envelope(body))


def meta_of(message: Request | Notification) -> dict[str, Any]:
    """The `_meta` of the parameters; `{}` when there is none."""
    meta: dict[str, Any] = message.params.get("_meta", _NOTHING)
    return meta


def raw_param(body: bytes, member: str) -> bytes:
    """The bytes of `params[member]` exactly as they stand in `body`; empty when absent."""
    params = _RAW_DECODER.decode(body).params
    return bytes(params.get(member, b""))


def render_result(request_id: Id, result: dict[str, Any]) -> bytes:
    """A response with a result."""
    return _render({"jsonrpc": "2.0", "id": request_id, "result": result})


def render_error(reply_to: ReplyTo, error: Refusal) -> bytes:
    """A response with an error, its code taken from `pep.mcp.error_codes`.

    Where the request has no readable id, the error has none (MCP 2026-07-28, Streamable HTTP).
    """
    body: dict[str, Any] = {"code": WIRE[type(error)].code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    named = {} if reply_to is NO_REPLY else {"id": reply_to}
    return _render({"jsonrpc": "2.0", **named, "error": body})


class _RawEnvelope(Struct):
    params: dict[str, Raw] = {}


_RAW_DECODER = msgspec.json.Decoder(_RawEnvelope)
_NOTHING: dict[str, Any] = {}


def _call(body: bytes, value: dict[str, Any]) -> Request | Notification:
    method = value["method"]
    if not isinstance(method, str):
        raise InvalidRequest("method must be a string")
    if "result" in value or "error" in value:
        raise InvalidRequest("a message with a method has no result and no error")
    params = value.get("params", {})
    if not isinstance(params, dict):
        raise InvalidRequest("params must be an object")
    _check_params(params)
    if "id" not in value:
        return Notification(body, method, params)
    return Request(body, _id(value), method, params)


def _reply_to(value: dict[str, Any]) -> ReplyTo:
    is_call, is_response = "method" in value, "result" in value or "error" in value
    if "id" not in value if is_call else is_response:
        return NO_REPLY
    request_id = value.get("id")
    return request_id if _is_id(request_id) else None


def _response(body: bytes, value: dict[str, Any]) -> Response:
    if ("result" in value) == ("error" in value):
        raise InvalidRequest("a message without a method has either a result or an error")
    return Response(body, _id(value))


def _id(value: dict[str, Any]) -> Id:
    request_id = value.get("id")
    if not _is_id(request_id):
        raise InvalidRequest("id must be a string or an integer")
    return request_id


def _is_id(value: Any) -> TypeGuard[Id]:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _check_params(params: dict[str, Any]) -> None:
    _refuse_lookalikes(params, _PARAMS)
    check_counts(params)
    if "_meta" in params and not isinstance(params["_meta"], dict):
        raise InvalidRequest("params._meta must be an object")
    for name, value in params.items():
        if name in _OBJECTS and isinstance(value, dict):
            _refuse_lookalikes(value, _OBJECTS[name])


def _refuse_lookalikes(value: dict[str, Any], known: KnownKeys) -> None:
    key = known.lookalike(value)
    if key is not None:
        raise InvalidRequest(f"the key {key[:64]!r} looks like another key of the protocol")


def _render(value: dict[str, Any]) -> bytes:
    # Not msgspec: it refuses integers beyond 64 bits, and the id is echoed as it came.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
