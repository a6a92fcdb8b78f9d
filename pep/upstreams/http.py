"""Sends a request to an upstream server and hands its answer back as it comes. Edge: sockets.

One seam, `Upstream.send`. Nothing is added to the request but its length, and nothing is undone in the
answer: no default headers, no cookies, no proxies from the environment, no redirects, no decompression.
There is no limit on how long an answer may take, because a tool may; only on how long connecting may.
"""

from __future__ import annotations

import asyncio

from pep.config import Server
from pep.mcp.headers import HeaderLines
from pep.ports import LostError, NeverReachedError, NeverSentCancelledError
from tipstaff.common.http_answer import Answer
from tipstaff.common.http_connection import Connection
from tipstaff.common.http_pool import Origin, Pool, origin_and_target

# Shorter than the 5 s after which uvicorn, which most Python servers run on, closes an idle
# connection: a request must not be sent into one that is just being closed.
_KEEPALIVE_SECONDS = 3.0
# Requests that a server may see twice (RFC 9110 section 9.2.2).
_REPEATABLE = frozenset({"GET", "DELETE"})


class Upstream:
    """All upstream servers."""

    def __init__(self, connect_timeout_ms: int) -> None:
        """Connect on first use."""
        self._pool = Pool(
            connect_seconds=connect_timeout_ms / 1000, idle_seconds=_KEEPALIVE_SECONDS
        )

    async def send(
        self,
        method: str,
        server: Server,
        lines: HeaderLines,
        body: bytes | None,
        caller: str,  # noqa: ARG002 - one server serves all
    ) -> Answer:
        """Send, and wait for the answer's headers; raises `NeverReachedError` or `LostError`.

        Cancelling closes the connection.
        """
        origin, target = origin_and_target(server.url)
        return await self.ask(origin, method, target, lines, body)

    async def ask(
        self, origin: Origin, method: str, target: bytes, lines: HeaderLines, body: bytes | None
    ) -> Answer:
        """See `send`; `target` is asked for at `origin`."""
        head = _head(method, target, lines, body)
        connection = await self._connection(origin)
        try:
            return await connection.ask(head, body or b"")
        except LostError:
            if method not in _REPEATABLE or not connection.was_stale:
                raise
        connection = await self._connection(origin, is_new=True)
        return await connection.ask(head, body or b"")

    async def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    async def _connection(self, origin: Origin, *, is_new: bool = False) -> Connection:
        try:
            return await self._pool.connection(origin, is_new=is_new)
        except (OSError, TimeoutError) as error:
            raise NeverReachedError(_why(error)) from error
        except asyncio.CancelledError as error:
            raise NeverSentCancelledError from error


def _head(method: str, target: bytes, lines: HeaderLines, body: bytes | None) -> bytes:
    """The request line and the header lines; raises `ValueError` for a line that would be two."""
    parts = [b"%b %b HTTP/1.1" % (method.encode(), target)]
    parts += [b"%b: %b" % line for line in lines]
    if body is not None:
        parts.append(b"content-length: %d" % len(body))
    head = b"\r\n".join(parts) + b"\r\n\r\n"
    if head.count(b"\n") > len(parts) + 1 or head.count(b"\r") > len(parts) + 1 or b"\0" in head:
        raise ValueError("a header line has line ends or null bytes inside")
    return head


def _why(error: Exception) -> str:
    """The fault in words."""
    reason = getattr(error, "strerror", None)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__
