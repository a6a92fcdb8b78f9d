"""The processes of servers that are run here: started at need, ended when idle. Edge.

`places` decides who has a process; here processes are started, read and ended. Only callers that wait for
a process wait for its start and end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from pep.config import Server
from pep.ports import LostError, NeverSentCancelledError
from pep.upstreams import child
from pep.upstreams.child import Child
from pep.upstreams.child_conversation import ChildConversation
from pep.upstreams.places import ENDED_ITSELF, IDLE, SETTINGS_CHANGED, Action, Place, Places, Start
from pep.upstreams.shares import ChildKey
from pep.upstreams.stream import Storage
from tipstaff.common import child_process
from tipstaff.common.lifelong import heard

_SWEEP_SECONDS = 1.0

log = structlog.get_logger("pep.child")

StartChild = Callable[[Server], Awaitable[Child]]


async def start(server: Server) -> Child:
    """Start a server as it is configured; raises `NeverReachedError`."""
    environment = child_process.environment_with(server.environment)
    return await child.start(server.name, server.command, environment, keep_stderr=True)


class _Process:
    """The tasks of one place: its process is started, then read, and at last ended."""

    def __init__(self) -> None:
        self.opening: asyncio.Task[ChildConversation]
        self.hearing: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.conversation: ChildConversation | None = None


class Pool:
    """The processes of all servers."""

    def __init__(self, now: Callable[[], float], start_child: StartChild = start) -> None:
        """`now` is a monotonic clock."""
        self._now = now
        self._start_child = start_child
        self._storage = Storage(on_drop=_log_drop)
        self._places = Places()
        self._processes: dict[Place, _Process] = {}

    async def open(self, key: ChildKey, server: Server) -> ChildConversation:
        """The conversation with the child of `key`, which is started if need be.

        Raises `BusyError` when there is no room for the child, `NeverReachedError` when it cannot start.
        """
        self._carry_out(self._places.renew(key, server))
        place, actions = self._places.want(key, server)
        self._carry_out(actions)
        try:
            conversation = await asyncio.shield(self._processes[place].opening)
        except asyncio.CancelledError as error:
            raise NeverSentCancelledError from error
        conversation.used_at = self._now()
        return conversation

    def find(self, key: ChildKey) -> ChildConversation | None:
        """The conversation with the child of `key`, `None` when there is none."""
        place = self._places.find(key)
        conversation = None if place is None else self._processes[place].conversation
        if conversation is not None:
            conversation.used_at = self._now()
        return conversation

    def take_over(self, servers: Sequence[Server]) -> None:
        """Use these servers from now on; see `Places.take_over`."""
        self._carry_out(self._places.take_over(servers))

    async def retire(self, key: ChildKey) -> None:
        """End the child of `key`, if it runs."""
        place = self._places.find(key)
        if place is not None:
            self.retire_soon(key)
            await self._ended(place)

    def retire_soon(self, key: ChildKey) -> None:
        """End the child of `key`, if it runs, without waiting."""
        self._carry_out(self._places.retire(key))

    async def close(self) -> None:
        """End every child."""
        for key in self._places.owners():
            self.retire_soon(key)
        endings = [process.ending for process in self._processes.values() if process.ending]
        await asyncio.gather(*endings)

    async def sweep(self) -> None:
        """End processes that have not been used for long, again and again."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._carry_out(self._places.sweep(self._now()))

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Start):
                self._start(action.place, action.after)
            else:
                self._tell_end(action.place, action.reason)
                process = self._processes[action.place]
                ending = asyncio.ensure_future(self._end(action.place, process))
                process.ending = heard("a server ended", ending)

    def _start(self, place: Place, after: Place | None) -> None:
        process = self._processes[place] = _Process()
        process.opening = asyncio.ensure_future(self._opened(place, process, after))
        process.opening.add_done_callback(_mark_retrieved)

    async def _opened(
        self, place: Place, process: _Process, after: Place | None
    ) -> ChildConversation:
        if after is not None:
            await self._ended(after)
        key = place.key
        try:
            started = await self._start_child(place.server)
        except Exception as error:
            if self._places.failed(place):
                log.warning("server not started", server=key.server, error=str(error))
                del self._processes[place]
            raise
        conversation = ChildConversation(started, key.era, key.caller, self._now, self._storage)
        self._places.opened(place, conversation)
        process.conversation = conversation
        hearing = asyncio.ensure_future(self._hear(place, conversation))
        process.hearing = heard("a server heard", hearing)
        return conversation

    async def _hear(self, place: Place, conversation: ChildConversation) -> None:
        try:
            await conversation.hear()
        finally:
            self._carry_out(self._places.ended_itself(place))

    async def _ended(self, place: Place) -> None:
        """Wait for the end of a place that was retired."""
        process = self._processes.get(place)
        if process is not None and process.ending is not None:
            await asyncio.shield(process.ending)

    async def _end(self, place: Place, process: _Process) -> None:
        """End the place's process, if it was started."""
        try:
            await asyncio.wait({process.opening})
            if process.conversation is None:
                return
            await process.conversation.end()
            if process.hearing is not None:
                (failure,) = await asyncio.gather(process.hearing, return_exceptions=True)
                if failure is not None and not isinstance(failure, LostError):
                    log.error("server not heard to its end", error=repr(failure))
        finally:
            self._places.ended(place)
            del self._processes[place]

    def _tell_end(self, place: Place, reason: str) -> None:
        conversation, server = self._processes[place].conversation, place.key.server
        if reason == SETTINGS_CHANGED:
            log.info("server ended, since its settings have changed", server=server)
        elif conversation is not None and reason == IDLE:
            log.info("idle server ended", server=server, pid=conversation.child.pid)
        elif conversation is not None and reason == ENDED_ITSELF:
            ended = conversation.child
            # Exit code 0 is a server's ordinary end.
            tell = log.info if ended.exit_code == 0 else log.warning
            tell("server ended by itself", server=server, pid=ended.pid, exit_code=ended.exit_code)


def _log_drop(caller: str, size: int) -> None:
    log.warning("unread messages dropped", caller=caller, bytes=size)


def _mark_retrieved(opening: asyncio.Task[ChildConversation]) -> None:
    """Mark a failure as retrieved: it is raised to those who wait, and has been logged already."""
    if not opening.cancelled():
        opening.exception()
