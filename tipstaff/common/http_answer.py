"""An answer of an HTTP server, as its body arrives. Does no I/O of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

# Unread bytes of a body at which the connection is not read any further.
MOST_UNREAD_BYTES = 256 * 1024

Lines = tuple[tuple[bytes, bytes], ...]


class LostError(Exception):
    """The connection broke: the server may have seen the request. The text quotes nothing of either side."""


class UnreadableError(LostError):
    """What came is no answer in HTTP/1.1, or one without bounds."""


class _Connection(Protocol):
    """The connection that an answer comes on."""

    def read_on(self, answer: Answer) -> None: ...

    def abort(self) -> None: ...


class Answer:
    """An answer that has begun: its status, its header lines as sent, and its body as it arrives."""

    def __init__(self, connection: _Connection, status: int, lines: Lines) -> None:
        """Begin without any of the body."""
        self.status = status
        self.lines = lines
        self._connection = connection
        self._pieces: list[bytes] = []
        self._unread = 0
        self._is_whole = False
        self._failure: LostError | None = None
        self._reader: asyncio.Future[None] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the body as they arrive, still compressed if they were; raises `LostError`."""
        while True:
            if self._pieces:
                data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
                self._pieces.clear()
                self._unread = 0
                self._connection.read_on(self)
                yield data
            elif self._is_whole:
                return
            elif self._failure:
                raise self._failure
            else:
                self._reader = asyncio.get_running_loop().create_future()
                await self._reader

    async def read(self) -> bytes:
        """The whole body; raises `LostError`."""
        return b"".join([chunk async for chunk in self.chunks()])

    def close(self) -> None:
        """End the answer: a connection on which more of it would come is closed at once."""
        if not self._is_whole:
            self._connection.abort()

    def add(self, data: bytes) -> bool:
        """Add bytes of the body; returns whether too many are unread."""
        self._pieces.append(data)
        self._unread += len(data)
        self._wake()
        return self._unread > MOST_UNREAD_BYTES

    def finish(self) -> None:
        """The body is complete."""
        self._is_whole = True
        self._wake()

    def fail(self, why: LostError) -> None:
        """No more will come of a body that is not complete; of one that is broken, nothing is handed on any more."""
        if not self._is_whole:
            self._failure = why
            if isinstance(why, UnreadableError):
                self._pieces.clear()
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
