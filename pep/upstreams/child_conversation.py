"""One child in use by one caller: writes its lines, reads its answers, carries out `conversation`. Edge: asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from pdp.api.strict_json import without_line_ends
from pep.mcp.addressing import Addressed
from pep.ports import BusyError, LostError, NeverReachedError, NeverSentCancelledError
from pep.upstreams.child import Child, Pace
from pep.upstreams.conversation import Action, Conversation, Drop, WriteAside
from pep.upstreams.stream import Storage, Stream
from tipstaff.common.lifelong import heard

# Bounds for a child that does not read: seconds, and bytes of messages that wait to be written.
_TAKING_SECONDS = 30.0
_MOST_UNTAKEN = 16 * 1024 * 1024
_MOST_ASIDE = 256

log = structlog.get_logger("pep.child")


class ChildConversation:
    """A child in use by one caller."""

    def __init__(
        self, child: Child, era: str, caller: str, now: Callable[[], float], storage: Storage
    ) -> None:
        """`now` is a monotonic clock; `storage` holds messages that wait to be read."""
        self.child = child
        self.used_at = now()
        self.mirrored: dict[str, Any] | None = None
        self.survey: asyncio.Task[dict[str, Any]] | None = None
        self._now = now
        self._conversation = Conversation(era, caller, storage)
        self._untaken = 0
        self._dropped = 0
        self._is_over = False
        self._aside: set[asyncio.Task[None]] = set()

    @property
    def own(self) -> Stream:
        """The client's own stream."""
        return self._conversation.own

    @property
    def is_idle(self) -> bool:
        """Whether every request under way is abandoned."""
        return self._conversation.is_idle(self._now())

    @property
    def is_heard(self) -> bool:
        """Whether a client listens to the client's own stream."""
        return self.own.readers > 0

    async def hear(self) -> None:
        """Hand the child's lines to their streams until it ends; then all streams are ended."""
        pace = Pace(self._now)
        try:
            async for line in self.child.lines():
                pace.begin()
                self._carry_out(self._conversation.line(line))
                await pace.end()
        finally:
            self._is_over = True
            self._conversation.over()

    async def ask(
        self, message: bytes, addressed: Addressed, *, keeps: bool = False, is_ours: bool = False
    ) -> Stream:
        """Send a request; returns the stream of its messages, with one reader: see `Conversation.request`.

        Raises `InvalidRequest`, `BusyError`, `LostError`, `NeverSentCancelledError`.
        """
        request = self._conversation.request(message, addressed, keeps=keeps, is_ours=is_ours)
        stream, line = request
        try:
            await self._write(line)
        except BaseException as error:
            self._conversation.never_sent(stream)
            if isinstance(error, asyncio.CancelledError):
                raise NeverSentCancelledError from error
            raise
        return stream

    async def tell(self, message: bytes, addressed: Addressed) -> None:
        """Send a message that wants no answer; raises `BusyError` or `LostError`."""
        cancelled, line = self._conversation.notification(message, addressed)
        if line is None:
            log.info("notification about no request dropped", pid=self.child.pid)
            return
        await self._write(line)
        if cancelled is not None:
            self._conversation.end(cancelled)

    def leave(self, stream: Stream) -> None:
        """Note that a reader of the stream has gone."""
        self.used_at = self._now()
        self._carry_out(self._conversation.leave(stream, self.used_at))

    def kept(self, number: int, seen: int) -> Stream | None:
        """The stream of that number, to be read again from message `seen` on; `None` when it is not kept."""
        return self._conversation.kept(number, seen)

    async def end(self) -> None:
        """End the child."""
        for task in list(self._aside):
            task.cancel()
        await self.child.end()

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, WriteAside):
                self._write_aside(action.line)
            elif isinstance(action, Drop):
                self._log_drop(action)
            else:
                self.mirrored = None

    async def _write(self, message: bytes) -> None:
        """Write one line to the child; raises `BusyError` when the child does not read in time."""
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
        """Write a line that nobody waits for; too many at once are dropped."""

        async def written() -> None:
            with contextlib.suppress(LostError, NeverReachedError):
                await self._write(message)

        if len(self._aside) < _MOST_ASIDE:
            task = heard("a message handed to a server", asyncio.ensure_future(written()))
            self._aside.add(task)
            task.add_done_callback(self._aside.discard)

    def _log_drop(self, drop: Drop) -> None:
        """Log a dropped line, more rarely the more lines have been dropped."""
        self._dropped += 1
        if self._dropped.bit_count() == 1:
            log.warning(
                "line of the server dropped", pid=self.child.pid, what=drop.reason,
                dropped=self._dropped, **drop.detail,
            )  # fmt: skip
