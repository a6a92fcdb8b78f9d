"""The other workers of this gateway, over their sockets. Edge: asyncio, unix sockets.

A note reaches a worker before the client of this one sees the answer that it is about, so that no request of
that client can be faster. A worker that does not answer is not waited for long: it has gone, and begins again
knowing nothing, as a proxy does that was started anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import structlog

from pdp.api.model import Principal
from pep.callers.authentication import CERTIFICATE_KEY
from pep.callers.session import LegacySession
from pep.config import Server
from pep.judge.server_requests import Holder
from pep.mcp.headers import HOP_BY_HOP, JOINTS, HeaderLines, named_by_connection
from pep.mcp.jsonrpc import Id
from pep.mcp.methods import LEGACY
from pep.ports import Answer, LostError, NeverReachedError
from pep.upstreams.http import Upstream
from pep.workers.entrance import FORWARDED, NOTES_PATH, SENDER_LINE, Sender
from pep.workers.notes import AnswerNote, Note, SessionNote, TaskNote, encode
from pep.workers.position import Position
from tipstaff.common.http_pool import Origin

_CONNECT_MS = 1000
_NOTE_SECONDS = 1.0
_LONGEST_ANSWER = 16
# Lines that are about one connection, or that the way to the other worker has anew.
_OF_THE_CONNECTION = HOP_BY_HOP | {b"content-length", b"expect"}

log = structlog.get_logger("pep.workers")


class Peers:
    """The other workers; see `Workers`."""

    def __init__(self, position: Position) -> None:
        """Connect on first use."""
        self._position = position
        self._http = Upstream(_CONNECT_MS)
        self._origins = {
            number: Origin(socket=str(position.socket_of(number))) for number in position.others()
        }

    def elsewhere(
        self, scope: dict[str, Any], server: Server, era: str, session_id: str
    ) -> int | None:
        """The worker that must serve this request; `None` for this one, and for what was sent here to be served."""
        number = self._position.serves(server, era, session_id)
        return None if number == self._position.number or FORWARDED in scope else number

    async def forward(self, worker: int, scope: dict[str, Any], body: bytes | None) -> Answer:
        """Send a request on as its client sent it; raises `NeverReachedError` or `LostError`."""
        sender = Sender(scope.get("client"), scope.get(CERTIFICATE_KEY, ""))
        lines = [(SENDER_LINE, msgspec.json.encode(sender)), *_end_to_end(scope["headers"])]
        origin = self._origins[worker]
        return await self._http.ask(origin, scope["method"], scope["raw_path"], lines, body)

    async def tell_session(self, server: Server, session_id: str, session: LegacySession) -> bool:
        """Tell the worker that serves the session of it; returns whether that is another worker."""
        number = self._position.serves(server, LEGACY, session_id)
        if number == self._position.number:
            return False
        note = SessionNote(server.name, session_id, session.principal, session.client)
        await self._tell([number], note)
        return True

    async def tell_task(self, server: str, task: str, principal: Principal) -> None:
        """Tell all of them whose the task is."""
        await self._tell(self._origins, TaskNote(server, task, principal))

    async def ask_answer(self, holder: Holder, request_id: Id) -> bool:
        """Whether one of them has shown the client the request, and takes this for the answer."""
        note = AnswerNote(holder.server, holder.principal, request_id)
        for number in self._origins:
            if await self._send(number, note):
                return True
        return False

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def _tell(self, numbers: Iterable[int], note: Note) -> None:
        await asyncio.gather(*(self._send(number, note) for number in numbers))

    async def _send(self, number: int, note: Note) -> bool:
        """Send a note; returns the answer to it, false where there is none."""
        lines: HeaderLines = [(b"host", b"worker")]
        try:
            async with asyncio.timeout(_NOTE_SECONDS):
                origin = self._origins[number]
                answer = await self._http.ask(origin, "POST", NOTES_PATH, lines, encode(note))
                try:
                    word = b"".join([piece async for piece in answer.chunks()])
                finally:
                    answer.close()
        except (TimeoutError, LostError, NeverReachedError) as error:
            log.warning("a worker was not told", number=number, error=str(error))
            return False
        return word[:_LONGEST_ANSWER] == b"true"


def _end_to_end(lines: HeaderLines) -> HeaderLines:
    """The lines of the request itself."""
    dropped = _OF_THE_CONNECTION | named_by_connection(lines)
    return [line for line in lines if line[0].translate(JOINTS) not in dropped]
