"""The answer to one client, written no faster than the client reads it. Edge: ASGI."""

from __future__ import annotations

from pep.load.room import Unread
from pep.mcp.headers import HeaderLines
from pep.ports import Send

PIECE = 64 * 1024


class ClientAnswer:
    """Status, header lines and body of one answer; `caller` is who must read it."""

    def __init__(self, send: Send, unread: Unread) -> None:
        """Nothing has been sent yet."""
        self._send = send
        self._unread = unread
        self.caller = ""
        self.has_begun = False

    async def begin(self, status: int, lines: HeaderLines) -> None:
        """Send status and header lines."""
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def part(self, data: bytes) -> None:
        """Send more of the body; raises `LostError` for a client that reads too slowly."""
        if len(data) > PIECE:
            await self._write_pieces(data)
        else:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def last(self, data: bytes) -> None:
        """Send the rest of the body; raises `LostError` for a client that reads too slowly."""
        if len(data) > PIECE:
            await self._write_pieces(data)
            data = b""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def _write_pieces(self, data: bytes) -> None:
        """Write piece after piece, since the connection buffers everything that it is given."""
        async with self._unread.held(self.caller, len(data)):
            for start in range(0, len(data), PIECE):
                piece = data[start : start + PIECE]
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})


async def answer_whole(send: Send, status: int, lines: HeaderLines, body: bytes) -> None:
    """Send a small answer at once, to a client whose reading need not be watched."""
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
