"""A transport that joins small writes of one turn of the event loop: an answer's head and body are one write. Edge: asyncio."""

from __future__ import annotations

import asyncio
from typing import Any

# More than this is written at once, so that the connection tells early that its client does not read.
_MOST_HELD = 16 * 1024


class JoinedWrites:
    """Passes everything on to `transport`, small writes at the end of the turn."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Hold nothing yet."""
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        """Whatever else a transport can do."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """See `asyncio.WriteTransport`."""
        if not self._held:
            self._loop.call_soon(self._write_held)
        self._held.append(data)
        self._size += len(data)
        if self._size > _MOST_HELD:
            self._write_held()

    def close(self) -> None:
        """See `asyncio.BaseTransport`: what was written before is sent."""
        self._write_held()
        self._transport.close()

    def abort(self) -> None:
        """See `asyncio.WriteTransport`: what was not sent is lost."""
        self._held.clear()
        self._size = 0
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """See `asyncio.WriteTransport`."""
        return self._size + int(self._transport.get_write_buffer_size())

    def _write_held(self) -> None:
        if self._held:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            self._held.clear()
            self._size = 0
            self._transport.write(data)
