"""HTTP answers made of a child's messages: one message as JSON, or events as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from pep.errors import Refusal
from pep.judge.enforce import refuse
from pep.mcp.jsonrpc import ReplyTo
from pep.upstreams.child_conversation import ChildConversation
from pep.upstreams.reading import next_message
from pep.upstreams.stream import Stream

_PING_SECONDS = 15.0
_RETRY_MS = 100
_EVENTS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
# MCP 2026-07-28, Streamable HTTP: the statuses of errors that the protocol defines.
_STATUS: Mapping[int, int] = MappingProxyType(
    {-32700: 400, -32600: 400, -32602: 400, -32020: 400, -32021: 400, -32022: 400, -32601: 404}
)

RawLines = tuple[tuple[bytes, bytes], ...]


class _Error(Struct):
    code: int = 0


class _Answered(Struct):
    error: _Error | None = None


def head_status(message: bytes) -> int:
    """The HTTP status that a message of the modern era is sent with."""
    try:
        error = msgspec.json.decode(message, type=_Answered).error
    except msgspec.DecodeError:
        return 200
    return _STATUS.get(error.code, 200) if error else 200


def refused(reply_to: ReplyTo, fault: Refusal) -> WholeAnswer:
    """The answer with which a server refuses the message."""
    answer = refuse(reply_to, fault)
    return WholeAnswer(answer.status, tuple(answer.headers), answer.body)


class WholeAnswer(Struct, frozen=True):
    """An answer that is complete."""

    status: int
    lines: RawLines
    body: bytes

    @classmethod
    def of(cls, status: int, message: bytes) -> WholeAnswer:
        """One JSON message."""
        length = (b"content-length", b"%d" % len(message))
        return cls(status, ((b"content-type", b"application/json"), length), message)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body."""
        if self.body:
            yield self.body

    def close(self) -> None:
        """Do nothing: nothing is open."""


class EventAnswer:
    """An event stream of the child's messages, as they come."""

    status = 200

    def __init__(
        self,
        conversation: ChildConversation,
        stream: Stream,
        lines: RawLines,
        *,
        seen: int = 0,
        primes: bool = False,
        poll_seconds: float = 0,
    ) -> None:
        """Begin after `seen` messages; `close` ends this answer's place as a reader of the stream.

        With `primes` an empty event tells the client how to come back; when the child is silent for
        `poll_seconds` (0: never) the client has to.
        """
        self.lines = (*_EVENTS, *lines)
        self._conversation = conversation
        self._stream = stream
        self._seen = seen
        self._primes = primes
        self._poll_seconds = poll_seconds if primes else 0
        self._is_open = True

    async def chunks(self) -> AsyncIterator[bytes]:
        """Events; raises `LostError`."""
        number = self._stream.number
        if self._primes:
            yield b"id: %d-%d\r\nretry: %d\r\ndata: \r\n\r\n" % (number, self._seen, _RETRY_MS)
        while True:
            news = await next_message(self._stream, self._seen, self._poll_seconds or _PING_SECONDS)
            if news is not None:
                self._seen, message = news
                name = b"id: %d-%d\r\n" % (number, self._seen) if self._primes else b""
                yield b"event: message\r\n" + name + b"data: " + message + b"\r\n\r\n"
            elif self._stream.is_done or self._poll_seconds:
                return
            else:
                yield b": ping\r\n\r\n"

    def close(self) -> None:
        """Stop reading the stream: the client has gone, or has the whole answer."""
        if self._is_open:
            self._is_open = False
            self._conversation.leave(self._stream)
