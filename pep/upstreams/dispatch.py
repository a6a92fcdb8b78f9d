"""Sends a request over HTTP to a server that listens, or over stdio to a server that is run here."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from pep.config import Server
from pep.mcp.headers import HeaderLines
from pep.ports import Answer, BusyError, NeverReachedError
from pep.upstreams.http import Upstream
from pep.upstreams.stdio_http import StdioServers

log = structlog.get_logger("pep")


class Dispatch:
    """The upstreams of all servers."""

    def __init__(self, upstream: Upstream, stdio_servers: StdioServers) -> None:
        """`upstream` sends over HTTP, `stdio_servers` over stdio."""
        self._upstream = upstream
        self._bridge = stdio_servers
        self._away: set[str] = set()

    async def send(
        self, method: str, server: Server, lines: HeaderLines, body: bytes | None, caller: str
    ) -> Answer:
        """Send, and wait for the answer's headers; raises `NeverReachedError` or `LostError`."""
        way = self._bridge if server.command else self._upstream
        try:
            answer = await way.send(method, server, lines, body, caller)
        except BusyError:
            raise
        except NeverReachedError:
            self._away.add(server.name)
            raise
        if server.name in self._away:
            self._away.discard(server.name)
            log.info("upstream reached again", server=server.name)
        return answer

    def take_over(self, servers: Sequence[Server]) -> None:
        """Use these servers from now on."""
        self._bridge.take_over(servers)

    async def sweep(self) -> None:
        """End processes that have not been used for long; never returns."""
        await self._bridge.sweep()

    async def close(self) -> None:
        """Close every connection, end every process."""
        await self._bridge.close()
        await self._upstream.close()
