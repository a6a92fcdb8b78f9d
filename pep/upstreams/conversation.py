"""One child and the HTTP requests that are held with it: which of its lines is whose.

A line that answers a request is that request's, and so is one that names its progress token or its
subscription. What else it says goes to the call under way, since most servers speak of that, else to
the client's own stream, and waits when there is none.

A call is *abandoned* when its client has been gone for a minute. A child with no other is idle.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import structlog

from pdp.api.strict_json import without_line_ends
from pep.errors import InvalidRequest, MethodNotFound
from pep.mcp import addressing
from pep.mcp.addressing import CANCELLED, PROGRESS, Addressed
from pep.mcp.jsonrpc import Id, render_error
from pep.mcp.methods import MODERN
from pep.ports import BusyError, LostError, NeverReachedError, NeverSentCancelledError
from pep.upstreams.child import Child, Pace
from pep.upstreams.stream import Storage, Stream
from tipstaff.common.lifelong import heard

ABANDONED_SECONDS = 60.0
# What a child may leave unread: seconds, and bytes of messages that wait to be handed to it.
_TAKING_SECONDS = 30.0
_MOST_UNTAKEN = 16 * 1024 * 1024
_MOST_UNDER_WAY = 256
_MOST_DONE = 64
_MOST_ASIDE = 256

log = structlog.get_logger("pep.child")


class Conversation:
    """A child in use by one caller."""

    def __init__(
        self, child: Child, era: str, caller: str, now: Callable[[], float], storage: Storage
    ) -> None:
        """`now` is a monotonic clock; `storage` holds what waits to be read."""
        self.child = child
        self.caller = caller
        self.used_at = now()
        self.own = Stream(0, None, caller, storage, keeps=era != MODERN)
        self.mirrored: dict[str, Any] | None = None
        self.survey: asyncio.Task[dict[str, Any]] | None = None
        self._era = era
        self._now = now
        self._storage = storage
        self._numbers = 0
        self._untaken = 0
        self._dropped = 0
        self._is_over = False
        self._aside: set[asyncio.Task[None]] = set()
        self._under_way: OrderedDict[Id, Stream] = OrderedDict()
        self._done: deque[Stream] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything: no request is under way but abandoned ones."""
        now = self._now()
        return all(
            stream.is_abandoned(now, ABANDONED_SECONDS) for stream in self._under_way.values()
        )

    async def hear(self) -> None:
        """Hand out what the child says until it ends; then nobody waits in vain."""
        pace = Pace(self._now)
        try:
            async for line in self.child.lines():
                pace.begin()
                self._sort(line)
                await pace.end()
        finally:
            self._is_over = True
            for stream in (*self._under_way.values(), *self._done, self.own):
                stream.finish(is_lost=not stream.is_done and stream is not self.own)
                stream.release()
            self._under_way.clear()
            self._done.clear()

    async def ask(
        self, message: bytes, asked: Addressed, *, keeps: bool = False, is_ours: bool = False
    ) -> Stream:
        """Send a request; the stream of what comes of it, with one reader.

        `keeps` is for a client that may come back. `is_ours` when no client has asked: no
        notification is meant for it. Raises `InvalidRequest`, `BusyError`, `LostError`, `NeverSentCancelledError`.
        """
        self._numbers += 1
        number = self._numbers
        stream = Stream(number, None if is_ours else asked, self.caller, self._storage, keeps=keeps)
        key = self._key(asked, number)
        if key in self._under_way:
            raise InvalidRequest("a request with this id is under way in this session")
        self._make_way()
        stream.readers = 1
        self._under_way[key] = stream
        line = addressing.numbered_request(message, number) if self._era == MODERN else message
        try:
            await self._write(line)
        except BaseException as error:
            self._under_way.pop(key, None)
            if isinstance(error, asyncio.CancelledError):
                raise NeverSentCancelledError from error
            raise
        return stream

    async def tell(self, message: bytes, told: Addressed) -> None:
        """Send what wants no answer; raises `BusyError` or `LostError`.

        A modern client's notification goes on only under the number of one request of its caller.
        """
        stream = self._named(told)
        if self._era == MODERN and told.method in {CANCELLED, PROGRESS}:
            if stream is None:
                log.info("notification about no request dropped", pid=self.child.pid)
                return
            message = addressing.numbered_notification(message, stream.number)
        await self._write(message)
        if told.method == CANCELLED and stream is not None:
            self._end(stream)

    def leave(self, stream: Stream) -> None:
        """A reader has gone: in the modern era that cancels the request, in the legacy it does not."""
        stream.readers -= 1
        stream.left_at = self.used_at = self._now()
        if stream.readers:
            return
        if stream.is_done and not stream.keeps:
            stream.cut()
        elif not stream.is_done and self._era == MODERN:
            self._end(stream)
            self._write_aside(addressing.cancellation(stream.number))

    def kept(self, number: int, seen: int) -> Stream | None:
        """The stream of that number, to be told again from there."""
        streams = (self.own, *self._under_way.values(), *self._done)
        return next(
            (one for one in streams if one.number == number and one.keeps and seen <= one.count),
            None,
        )

    async def end(self) -> None:
        """End the child."""
        for task in list(self._aside):
            task.cancel()
        await self.child.end()

    def _key(self, asked: Addressed, number: int) -> Id:
        if self._era == MODERN or asked.id is None:
            return number
        return asked.id

    def _make_way(self) -> None:
        """One more must fit: the oldest that has no reader is forgotten."""
        if len(self._under_way) < _MOST_UNDER_WAY:
            return
        unread = next((one for one in self._under_way.values() if not one.readers), None)
        if unread is None:
            raise BusyError(f"{_MOST_UNDER_WAY} requests are under way")
        self._end(unread)

    def _end(self, stream: Stream) -> None:
        """Nobody wants the answer any more."""
        for key, one in list(self._under_way.items()):
            if one is stream:
                del self._under_way[key]
        stream.finish()
        stream.release()

    def _named(self, told: Addressed) -> Stream | None:
        """The request that a client's notification is about; `None` when it is not just one."""
        if self._era != MODERN:
            return None if told.cancels is None else self._under_way.get(told.cancels)
        streams = [
            one
            for one in self._under_way.values()
            if one.asked is not None
            and (
                told.cancels == one.asked.id
                if told.method == CANCELLED
                else told.token is not None and _is_same(told.token, one.asked.token)
            )
        ]
        return streams[0] if len(streams) == 1 else None

    async def _write(self, message: bytes) -> None:
        """Hand it one line; a child that reads nothing holds up nobody for ever."""
        if self._is_over:
            raise LostError("the server's process has ended")
        if self._untaken and self._untaken + len(message) > _MOST_UNTAKEN:
            raise BusyError("it does not read what it is sent")
        self._untaken += len(message)
        try:
            async with asyncio.timeout(_TAKING_SECONDS):
                await self.child.write(without_line_ends(message))
        except TimeoutError as error:
            raise BusyError("it does not read what it is sent") from error
        finally:
            self._untaken -= len(message)

    def _write_aside(self, message: bytes) -> None:
        """Write what nobody waits for; of too much at once, nothing."""

        async def written() -> None:
            with contextlib.suppress(LostError, NeverReachedError):
                await self._write(message)

        if len(self._aside) < _MOST_ASIDE:
            task = heard("a message handed to a server", asyncio.ensure_future(written()))
            self._aside.add(task)
            task.add_done_callback(self._aside.discard)

    def _sort(self, line: bytes | None) -> None:
        try:
            said = addressing.read_line(line)
        except ValueError as error:
            self._drop("no message", reason=str(error)[:200])
            return
        assert line is not None  # noqa: S101 - it was read
        if said.is_answer:
            self._answer(line, said)
        elif said.is_request and self._era == MODERN:
            # MCP 2026-07-28 has no requests of servers, and its clients could not answer.
            self._drop("a request of the server", method=said.method[:200])
            fault = MethodNotFound("A client of this version takes no requests")
            self._write_aside(render_error(said.id, fault))
        else:
            self._notice(line, said)

    def _answer(self, line: bytes, said: Addressed) -> None:
        assert said.id is not None  # noqa: S101 - an answer has one
        stream = self._under_way.pop(said.id, None)
        if stream is None:
            self._drop("an answer to no request that is under way")
            return
        if self._era == MODERN and stream.asked is not None:
            line = addressing.returned_answer(line, stream.asked)
        stream.put(line)
        stream.finish()
        if stream.keeps:
            self._done.append(stream)
            while len(self._done) > _MOST_DONE:
                self._done.popleft().release()
        else:
            stream.release()

    def _notice(self, line: bytes, said: Addressed) -> None:
        if said.method == "notifications/tools/list_changed":
            self.mirrored = None
        stream = self._meant(said)
        if stream is None:
            self._drop("a notification for nobody", method=said.method[:200])
            return
        if self._era == MODERN and stream.asked is not None:
            line = addressing.returned_notification(line, stream.asked)
        stream.put(line)

    def _meant(self, said: Addressed) -> Stream | None:
        """Whose it is by what it names, else the newest call's that has a reader."""
        named = said.token if said.token is not None else said.subscription
        if self._era == MODERN and named is not None:
            stream = self._under_way.get(named) if isinstance(named, int) else None
            return None if stream is None or stream.asked is None else stream
        calls = [one for one in reversed(self._under_way.values()) if _is_call(one)]
        if named is not None:
            asking = (one for one in calls if one.asked and _is_same(one.asked.token, named))
            if (stream := next(asking, None)) is not None:
                return stream
        attended = next((one for one in calls if one.readers), None)
        if attended is not None or self._era == MODERN:
            return attended
        return self.own if self.own.readers or not calls else calls[0]

    def _drop(self, what: str, **more: str) -> None:
        """Say so, though not of every line of a child that says nothing else."""
        self._dropped += 1
        if self._dropped.bit_count() == 1:
            log.warning(
                "line of the server dropped", pid=self.child.pid, what=what,
                dropped=self._dropped, **more,
            )  # fmt: skip


def _is_call(stream: Stream) -> bool:
    return stream.asked is not None and stream.asked.method != "subscriptions/listen"


def _is_same(token: object, named: object) -> bool:
    """1, 1.0 and "1" are three tokens."""
    return type(token) is type(named) and token == named
