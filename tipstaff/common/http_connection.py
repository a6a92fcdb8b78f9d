"""One HTTP/1.1 connection of a client: one request at a time, its answer as it comes. Edge: asyncio, llhttp.

Theory: nothing that a server sends is trusted. The parser is strict (RFC 9112 without its leniencies):
bare line feeds, folded lines, repeated lengths, and a length beside chunks end the connection. What the
parser would collect without end is bounded here: heads and trailers, and informational answers; a body
that nobody reads stops the reading. A connection serves the next request only after an answer that was
complete, behind which came nothing, to a request that was sent whole: bytes that no request has asked
for must never become the answer to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from msgspec import Struct

from tipstaff.common.http_answer import Answer, LostError, UnreadableError

MAX_HEAD_BYTES = 64 * 1024
# Informational answers (RFC 9110 section 15.2) that are read before the final one must come.
MOST_INTERIM = 16
# Header lines of one answer.
MOST_LINES = 128
# A larger request is written piece by piece, so that it does not hold up others.
_LARGE_BYTES = 256 * 1024
_PIECE_BYTES = 64 * 1024


class _Reading(Struct):
    """What has been read of the answer to one request; `without_body` counts bytes since the last of a body."""

    answer: Answer | None = None
    lines: list[tuple[bytes, bytes]] = []
    head_bytes: int = 0
    interim: int = 0
    without_body: int = 0
    has_come: bool = False
    is_complete: bool = False
    is_lasting: bool = False
    has_surplus: bool = False
    ends_with_connection: bool = False


class Connection(asyncio.Protocol):
    """A connection."""

    def __init__(
        self, on_idle: Callable[[Connection], None], on_lost: Callable[[], None] = lambda: None
    ) -> None:
        """Wait to be connected.

        `on_idle` is called whenever another request can be served, `on_lost` when the server closes.
        """
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._writing: asyncio.Task[None] | None = None
        self._awaited: asyncio.Future[Answer] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._requests = 0
        self._is_idle = True
        self._is_paused = self._is_full = False
        self._failure: LostError | None = None
        self._reading = _Reading()

    @property
    def is_usable(self) -> bool:
        """Whether the connection is open and waits for a request."""
        return self._is_idle and not self._failure and not self._transport.is_closing()

    @property
    def was_stale(self) -> bool:
        """Whether nothing has come since a request, on a connection that had served another before."""
        return self._requests > 1 and not self._reading.has_come

    async def ask(self, head: bytes, body: bytes) -> Answer:
        """Send a request and wait for the head of its answer; raises `LostError`. Cancelling closes the connection.

        `head` is the request line and the header lines, with the empty line.
        """
        if self._failure:
            raise self._failure
        self._is_idle = False
        self._requests += 1
        self._reading = _Reading()
        self._write(head, body)
        # When the future is awaited to its end, the connection may be serving another request already.
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._awaited = answer
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.cancelled():
                self.abort()
            elif answer.exception() is None:
                answer.result().close()
            raise

    def read_on(self, answer: Answer) -> None:
        """Go on reading, now that the body of `answer` has been taken."""
        if self._is_paused and answer is self._reading.answer:
            self._is_paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._fail(LostError("the connection was given up"))

    # asyncio's side

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection is also the end of a body that says no length."""
        if exc is None and self._reading.ends_with_connection and self._reading.answer is not None:
            self._reading.answer.finish()
        if self._failure is None:
            self._on_lost()
        self._fail(
            LostError("the server closed the connection" if exc is None else type(exc).__name__)
        )

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_full = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_full = False
        _wake(self._writable)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the server."""
        if self._failure:
            return
        if self._is_idle:
            self._fail(LostError("the server sent what nothing had asked for"))
            return
        self._reading.has_come = True
        self._reading.without_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(UnreadableError(f"not an answer in HTTP/1.1: {type(error).__name__}"))
            return
        if self._reading.has_surplus:
            self._fail(UnreadableError("the answer is longer than it says"))
        elif self._reading.is_complete and self._reading.answer is not None:
            self._finish(self._reading.answer)
        elif self._reading.without_body > MAX_HEAD_BYTES:
            self._fail(UnreadableError("the head of the answer is too large"))

    # the parser's side

    def on_message_begin(self) -> None:
        """An answer begins; behind a complete one it belongs to no request."""
        self._reading.has_surplus = self._reading.is_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line; trailers are left out."""
        if self._reading.answer is None:
            self._reading.lines.append((name, value))
            self._reading.head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._reading.has_surplus or self._failure:
            return
        status = self._parser.get_status_code()
        if self._reading.head_bytes > MAX_HEAD_BYTES or len(self._reading.lines) > MOST_LINES:
            self._fail(UnreadableError("the head of the answer is too large"))
            return
        if status < 200:
            self._reading.interim += 1
            self._reading.lines.clear()
            if self._reading.interim > MOST_INTERIM:
                self._fail(LostError("too many answers that announce another"))
            return
        try:
            self._reading.ends_with_connection = _ends_with_connection(self._reading.lines)
        except ValueError as error:
            self._fail(UnreadableError(str(error)))
            return
        self._reading.answer = Answer(self, status, tuple(self._reading.lines))
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(self._reading.answer)

    def on_body(self, data: bytes) -> None:
        """Bytes of the body."""
        self._reading.without_body = 0
        if self._reading.answer is None or self._reading.has_surplus or self._failure:
            return
        if self._reading.answer.add(data) and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """An answer is complete."""
        if self._reading.answer is not None and not self._reading.has_surplus and not self._failure:
            self._reading.is_complete = True
            self._reading.is_lasting = self._parser.should_keep_alive()

    # its own

    def _finish(self, answer: Answer) -> None:
        """The answer is whole; serve again when it leaves nothing open, else close."""
        answer.finish()
        is_sent = self._writing is None and not self._transport.get_write_buffer_size()
        if not self._reading.is_lasting or not is_sent:
            self._fail(LostError("the connection serves no more requests"))
            return
        self.read_on(answer)
        self._is_idle = True
        self._on_idle(self)

    def _write(self, head: bytes, body: bytes) -> None:
        """Write a small request at once; a large one goes on being written while its answer may begin."""
        if len(body) <= _LARGE_BYTES:
            self._transport.write(head + body)
            return
        self._transport.write(head)
        self._writing = asyncio.create_task(self._write_all(body))

    async def _write_all(self, body: bytes) -> None:
        for start in range(0, len(body), _PIECE_BYTES):
            while self._is_full and not self._failure:
                self._writable = asyncio.get_running_loop().create_future()
                await self._writable
            if self._failure:
                return
            self._transport.write(body[start : start + _PIECE_BYTES])
            await asyncio.sleep(0)
        self._writing = None

    def _fail(self, why: LostError) -> None:
        """Close; whoever waits gets to know why."""
        if self._failure:
            return
        self._failure = why
        if self._reading.answer is not None:
            self._reading.answer.fail(why)
        if self._transport is not None:
            self._transport.abort()
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(why)
        _wake(self._writable)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _ends_with_connection(lines: list[tuple[bytes, bytes]]) -> bool:
    """Whether the body has no end but that of the connection (RFC 9112 section 6.3).

    Raises `ValueError` for a transfer coding other than chunks, which would hand on bytes that nobody can read.
    """
    codings = [value.lower() for name, value in lines if name.lower() == b"transfer-encoding"]
    if codings not in ([], [b"chunked"]):
        raise ValueError("the answer has a transfer coding other than chunked")
    return not codings and all(name.lower() != b"content-length" for name, _ in lines)
