"""The position of a proxy among the workers of a gateway, and which of them must serve a request. Pure.

Theory. Clients connect to any worker. What a worker keeps in memory is of three kinds. A legacy session, the
ids under way in it and the requests of the server that its client was shown are needed by every further
request of that session; a server that is run here is a process of one worker. Such requests are served by
the worker that their session, or their server, has by its name, so that nothing of it is in two places.
Everything else is served where it came in.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from msgspec import Struct

from pep.config import Server
from pep.mcp.methods import LEGACY

# More would not fit on any machine, and each tells the others of every session and task.
MOST = 64


class Position(Struct, frozen=True):
    """Which of `count` workers this one is, from 0 on."""

    number: int
    count: int
    folder: Path
    """Where the sockets of all workers stand; only their user may enter it."""
    secret: str
    """Known to all of them: what one has sealed, another can open."""

    def socket_of(self, number: int) -> Path:
        """The socket on which the worker hears the others."""
        return self.folder / f"worker-{number}.sock"

    def others(self) -> tuple[int, ...]:
        """The numbers of all other workers."""
        return tuple(number for number in range(self.count) if number != self.number)

    def serves(self, server: Server, era: str, session_id: str) -> int:
        """The number of the worker that must serve a request: this one's where any may."""
        if server.command:
            return _by_name(server.name, self.count)
        if era == LEGACY and session_id:
            return _by_name(f"{server.name}\0{session_id}", self.count)
        return self.number


def _by_name(name: str, count: int) -> int:
    """The same worker for the same name, in every process."""
    return zlib.crc32(name.encode()) % count
