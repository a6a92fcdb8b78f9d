"""The processes of servers that are run here: started when somebody needs one, ended when nobody does.

A process takes its place from before its start until after its end, so that there are never more
than configured. Starts and ends hold up nobody but those who wait for this very process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

import structlog

from pep.config import Server
from pep.mcp.methods import MODERN
from pep.ports import BusyError, LostError, NeverSentCancelledError
from pep.upstreams import child
from pep.upstreams.child import Child
from pep.upstreams.conversation import Conversation
from pep.upstreams.shares import ChildKey, Held, NoRoomError, leaving
from pep.upstreams.stream import Storage
from tipstaff.common.lifelong import heard

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL", "TERM")
_SWEEP_SECONDS = 1.0

log = structlog.get_logger("pep.child")

Start = Callable[[Server], Awaitable[Child]]


async def start(server: Server) -> Child:
    """Start a server as it is configured; raises `NeverReachedError`."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment = {**inherited, **server.environment}
    return await child.start(server.name, server.command, environment, keep_stderr=True)


class _Place:
    """One process's place."""

    def __init__(self, server: Server, opening: asyncio.Task[Conversation]) -> None:
        self.server = server
        self.opening = opening
        self.hearing: asyncio.Task[None] | None = None

    @property
    def conversation(self) -> Conversation | None:
        """The conversation with it, once it has been started."""
        if not self.opening.done() or self.opening.cancelled() or self.opening.exception():
            return None
        return self.opening.result()

    def held(self, key: ChildKey) -> Held:
        """What the place is, to those who want it."""
        conversation = self.conversation
        if conversation is None:
            return Held(key, 0.0, is_idle=False)
        is_heard = conversation.own.readers > 0
        return Held(key, conversation.used_at, conversation.is_idle, is_heard)


class Pool:
    """The processes of all servers."""

    def __init__(self, now: Callable[[], float], start: Start = start) -> None:
        """`now` is a monotonic clock."""
        self._now = now
        self._start = start
        self._storage = Storage()
        self._places: dict[ChildKey, _Place] = {}
        self._ending: dict[asyncio.Task[None], ChildKey | None] = {}

    async def open(self, key: ChildKey, server: Server) -> Conversation:
        """The conversation with that child, which is started if need be.

        Raises `BusyError` when there is no room for it, `NeverReachedError` when it cannot start.
        """
        place = self._places.get(key)
        if place is not None and self._is_outdated(key, place, server):
            self._retire_outdated(key)
            place = None
        place = place or self._take_place(key, server)
        try:
            conversation = await asyncio.shield(place.opening)
        except asyncio.CancelledError as error:
            raise NeverSentCancelledError from error
        conversation.used_at = self._now()
        return conversation

    def find(self, key: ChildKey) -> Conversation | None:
        """The conversation with that child, `None` when there is none."""
        place = self._places.get(key)
        conversation = place.conversation if place else None
        if conversation is not None:
            conversation.used_at = self._now()
        return conversation

    def take_over(self, servers: Sequence[Server]) -> None:
        """There are these servers from now on: processes of others end, and idle ones of changed ones.

        A legacy session whose server has changed goes on with its process, which holds its state.
        """
        wanted = {server.name: server for server in servers}
        for key, place in list(self._places.items()):
            server = wanted.get(key.server)
            if server is None or self._is_outdated(key, place, server):
                self._retire_outdated(key)

    def _is_outdated(self, key: ChildKey, place: _Place, server: Server) -> bool:
        """Whether a process was started by other settings, and nobody loses anything by its end."""
        is_idle = place.conversation is not None and place.conversation.is_idle
        return key.era == MODERN and place.server != server and is_idle

    def _retire_outdated(self, key: ChildKey) -> None:
        log.info("server ended, since its settings have changed", server=key.server)
        self.retire(key)

    def retire(self, key: ChildKey, *, makes_room: bool = False) -> asyncio.Task[None]:
        """End that child, if it runs. It keeps its place until then, unless it has to make room."""
        place = self._places.pop(key, None)
        ending = asyncio.ensure_future(self._end(place))
        self._ending[ending] = None if makes_room or place is None else key
        ending.add_done_callback(self._ending.pop)
        return ending

    async def close(self) -> None:
        """End every child."""
        for key in list(self._places):
            self.retire(key)
        await asyncio.gather(*self._ending)

    def _take_place(self, key: ChildKey, server: Server) -> _Place:
        held = [
            place.held(other)
            for other, place in self._places.items()
            if other.server == server.name
        ]
        held += [
            Held(other, 0.0, is_idle=False)
            for other in self._ending.values()
            if other is not None and other.server == server.name
        ]
        try:
            victim = leaving(held, key, server.max_processes)
        except NoRoomError as error:
            raise BusyError(str(error)) from error
        ended = self.retire(victim, makes_room=True) if victim else None
        place = _Place(server, asyncio.ensure_future(self._opened(key, server, ended)))
        place.opening.add_done_callback(lambda task: self._has_opened(key, place, task))
        self._places[key] = place
        return place

    async def _opened(
        self, key: ChildKey, server: Server, ended: asyncio.Task[None] | None
    ) -> Conversation:
        if ended is not None:
            await ended
        process = await self._start(server)
        return Conversation(process, key.era, key.caller, self._now, self._storage)

    def _has_opened(self, key: ChildKey, place: _Place, task: asyncio.Task[Conversation]) -> None:
        conversation = place.conversation
        if conversation is not None:
            hearing = asyncio.ensure_future(self._hear(key, conversation))
            place.hearing = heard("a server heard", hearing)
        elif self._places.get(key) is place:
            error = "cancelled" if task.cancelled() else str(task.exception())
            log.warning("server not started", server=key.server, error=error)
            del self._places[key]

    async def _hear(self, key: ChildKey, conversation: Conversation) -> None:
        try:
            await conversation.hear()
        finally:
            place = self._places.get(key)
            if place is not None and place.conversation is conversation:
                self._tell_end(key, conversation.child)
                self.retire(key)

    @staticmethod
    def _tell_end(key: ChildKey, ended: Child) -> None:
        """A server that ends with exit code 0 has come to an ordinary end."""
        code = ended.exit_code
        tell = log.info if code == 0 else log.warning
        tell("server ended by itself", server=key.server, pid=ended.pid, exit_code=code)

    async def _end(self, place: _Place | None) -> None:
        """End what was started, if it was."""
        if place is None:
            return
        await asyncio.wait({place.opening})
        if place.conversation is None:
            return
        await place.conversation.end()
        if place.hearing is not None:
            (failure,) = await asyncio.gather(place.hearing, return_exceptions=True)
            if failure is not None and not isinstance(failure, LostError):
                log.error("server not heard to its end", error=repr(failure))

    async def sweep(self) -> None:
        """End what nobody has used for long, again and again."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._now()
            for key, place in list(self._places.items()):
                conversation = place.conversation
                if conversation is None or not conversation.is_idle:
                    continue
                if now - conversation.used_at > place.server.idle_seconds:
                    log.info("idle server ended", server=key.server, pid=conversation.child.pid)
                    self.retire(key)
