"""Connections to HTTP servers, kept open between requests. Edge: asyncio."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import lru_cache, partial
from urllib.parse import urlsplit
from weakref import WeakSet

from msgspec import Struct

from tipstaff.common.http_answer import Answer, LostError
from tipstaff.common.http_connection import Connection

_PORTS = {"http": 80, "https": 443}


class Origin(Struct, frozen=True):
    """Where connections lead: a host and a port, with TLS or without, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    is_tls: bool = False
    socket: str = ""


class Pool:
    """Any number of connections, because no request may wait for another; an unused one is kept for a while."""

    def __init__(
        self,
        *,
        connect_seconds: float,
        idle_seconds: float,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect on first use; `on_lost` is called when a server closes a connection."""
        self._on_lost = on_lost
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}
        self._open: WeakSet[Connection] = WeakSet()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def connection(self, origin: Origin, *, is_new: bool = False) -> Connection:
        """A connection to `origin`, `is_new` or one that is idle; raises `OSError` or `TimeoutError`."""
        loop = asyncio.get_running_loop()
        idle = () if is_new else self._idle.get(origin, [])
        while idle:
            since, connection = idle.pop()
            if connection.is_usable and loop.time() < since + self._idle_seconds:
                return connection
            connection.abort()
        make = partial(Connection, partial(self._keep, origin), self._on_lost)
        async with asyncio.timeout(self._connect_seconds):
            connection = await _connect(loop, make, origin)
        self._open.add(connection)
        return connection

    async def ask(self, origin: Origin, head: bytes, body: bytes = b"") -> Answer:
        """Send a request that may be repeated: once more, where an idle connection had just been closed.

        Raises `OSError` or `TimeoutError` where there is no connection, and `LostError`.
        """
        connection = await self.connection(origin)
        try:
            return await connection.ask(head, body)
        except LostError:
            if not connection.was_stale:
                raise
        connection = await self.connection(origin, is_new=True)
        return await connection.ask(head, body)

    def close(self) -> None:
        """Close every connection at once."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._open):
            connection.abort()
        self._idle.clear()

    def _keep(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection that has become idle."""
        if self._is_closed:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        self._idle.setdefault(origin, []).append((loop.time(), connection))
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_seconds, self._close_old)

    def _close_old(self) -> None:
        """Close what has been idle for long; looks again while anything is left."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self._idle_seconds
        for origin, idle in tuple(self._idle.items()):
            for since, connection in idle:
                if since <= oldest:
                    connection.abort()
            left = [entry for entry in idle if entry[0] > oldest and entry[1].is_usable]
            if left:
                self._idle[origin][:] = left
            else:
                del self._idle[origin]
        self._sweep = loop.call_later(self._idle_seconds, self._close_old) if self._idle else None


@lru_cache(maxsize=1024)
def origin_and_target(url: str) -> tuple[Origin, bytes]:
    """The origin and the request target (RFC 9112 section 3.2.1) of a URL, which is taken as it is written."""
    parts = urlsplit(url)
    origin = Origin(
        parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.scheme == "https"
    )
    target = parts.path or "/"
    return origin, (f"{target}?{parts.query}" if parts.query else target).encode()


async def _connect(
    loop: asyncio.AbstractEventLoop, make: Callable[[], Connection], origin: Origin
) -> Connection:
    if origin.socket:
        _, connection = await loop.create_unix_connection(make, origin.socket)
    else:
        _, connection = await loop.create_connection(
            make, origin.host, origin.port, ssl=_tls() if origin.is_tls else None
        )
    return connection


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The system's certificates, as OpenSSL's environment variables may name them."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
