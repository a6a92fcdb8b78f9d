"""One client connection: HTTP parsed by httptools, with deadlines and sizes besides. Edge.

uvicorn waits for header lines for ever and reads any number of them, and takes the trailers of a
chunked body for header lines. Here the lines have a deadline and a size, and trailers are dropped
(RFC 9110 section 6.5.1): a line that comes after the lines were checked would not have been checked.

uvicorn also waits for ever for a client that does not read its answer. Here such a client is cut off,
so that the server's answer is closed and what the call holds is free.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pep.callers.authentication import CERTIFICATE_KEY
from pep.callers.client_certificate import certificate_identity
from pep.errors import HeadTooLarge, HeadTooSlow, InvalidRequest, Refusal
from pep.front.departure import DEPARTURE, Departure
from pep.front.joined_writes import JoinedWrites
from pep.front.request_body import IS_HERE
from pep.judge.enforce import refuse

_MAX_HEAD_BYTES = 64 * 1024
_MAX_HEAD_LINES = 200
# Bytes that a client must read in one period of the write timeout, or all that are left.
_PROGRESS_BYTES = 64 * 1024

log = structlog.get_logger("pep")


class Connection(HttpToolsProtocol):
    """Reads requests for the application."""

    head_timeout: float
    """Seconds in which the header lines of a request must arrive."""
    write_timeout: float
    """Seconds in which the client must have read on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the identity in the client's certificate, and wait for a request until the deadline."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", JoinedWrites(transport, self.loop))
        self._departure = Departure(self.flow.resume_reading)
        self._identity = certificate_identity(transport.get_extra_info("peercert") or {})
        self._reads_head = False
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._reader_deadline: asyncio.TimerHandle | None = None
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Parse more bytes; bytes that begin no request do not extend the deadline."""
        super().data_received(data)
        if self._deadline is None and (self._reads_head or not self._is_answering()):
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the deadlines."""
        self._head_is_here()
        self._reader_is_here()
        super().connection_lost(exc)
        self._departure.happen()

    def pause_writing(self) -> None:
        """Set a deadline: the client does not read as fast as it is answered."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """End that deadline: the client has caught up."""
        self._reader_is_here()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Set a deadline for the client to read the rest of its answer, when the connection closes."""
        super().on_response_complete()
        if self.transport.is_closing() and self._reader_deadline is None:
            self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also that of a client that has not read its answer."""
        super().timeout_keep_alive_handler()
        if self._reader_deadline is None:
            self._await_reader()

    def on_message_begin(self) -> None:
        """Begin a request, of which the first byte is here."""
        super().on_message_begin()
        self._head_size = 0
        self._reads_head = True
        self._head_is_here()  # the deadline begins anew, unless the rest of the head is here as well

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line, and drop a trailer."""
        if not self._reads_head:
            return
        self._head_size += len(name) + len(value) + 4
        if self._head_size > _MAX_HEAD_BYTES:
            raise HeadTooLarge(f"The header lines are longer than {_MAX_HEAD_BYTES} bytes")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request to the application: all header lines are here."""
        if len(self.headers) > _MAX_HEAD_LINES:
            raise HeadTooLarge("Too many header lines")
        self._reads_head = False
        self._head_is_here()
        self.scope[CERTIFICATE_KEY] = self._identity  # type: ignore[literal-required]
        self.scope[DEPARTURE] = self._departure  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the whole body is here, so that nobody has to wait for it with a deadline."""
        self.scope[IS_HERE] = True  # type: ignore[literal-required]
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP or breaks a bound, and close the connection."""
        too_large = self._head_size > _MAX_HEAD_BYTES or len(self.headers) > _MAX_HEAD_LINES
        self._refuse(HeadTooLarge("Too many header lines") if too_large else InvalidRequest(msg))

    def _await_head(self) -> None:
        self._head_is_here()
        self._deadline = self.loop.call_later(self.head_timeout, self._give_up)

    def _head_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _await_reader(self) -> None:
        """Cut the client off unless it reads `_PROGRESS_BYTES` before the deadline."""
        self._reader_is_here()
        unread = self.transport.get_write_buffer_size()
        if unread:
            left = max(0, unread - _PROGRESS_BYTES)
            self._reader_deadline = self.loop.call_later(
                self.write_timeout, self._judge_reader, left
            )

    def _judge_reader(self, left: int) -> None:
        if self.transport.get_write_buffer_size() <= left:
            self._await_reader()
            return
        log.warning("client cut off: it does not read its answer")
        self.transport.abort()

    def _reader_is_here(self) -> None:
        if self._reader_deadline is not None:
            self._reader_deadline.cancel()
            self._reader_deadline = None

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's type denies the start
        return cycle is not None and not cycle.response_complete

    def _give_up(self) -> None:
        if self._is_answering():
            self._await_head()  # a request behind another, whose answer must not be cut
            return
        self._refuse(HeadTooSlow("The header lines did not arrive in time"))

    def _refuse(self, fault: Refusal) -> None:
        if self.transport.is_closing():
            return
        log.info("refused", code=fault.code, reason=fault.message)
        answer = refuse(None, fault)
        lines = [*answer.headers, (b"connection", b"close")]
        phrase = HTTPStatus(answer.status).phrase
        head = f"HTTP/1.1 {answer.status} {phrase}\r\n".encode()
        head += b"".join(name + b": " + value + b"\r\n" for name, value in lines)
        self.transport.write(head + b"\r\n" + answer.body)
        self.transport.close()


def with_timeouts(*, head: float, write: float) -> type[Connection]:
    """The protocol class for uvicorn, which makes one object of it per connection."""

    class Timed(Connection):
        head_timeout = head
        write_timeout = write

    return Timed
