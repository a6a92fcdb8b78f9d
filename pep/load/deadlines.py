"""Deadlines that are all equally far away, so that one timer serves them all. Edge: asyncio.

A timer for each of some thousand calls a second, nearly all of which end long before it, is a cost of each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Deadlines:
    """Futures that fail unless they are done within `seconds`."""

    def __init__(self, seconds: float, error: Callable[[], Exception]) -> None:
        """`error` makes the exception of a future that is late."""
        self._seconds = seconds
        self._error = error
        self._futures: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any]) -> None:
        """Let `future` fail when it is not done in time."""
        loop = future.get_loop()
        at = loop.time() + self._seconds
        self._futures.append((at, future))
        if self._timer is None:
            self._timer = loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fail the late ones, forget those that are done, and look again when the next one may be late."""
        now = loop.time()
        while self._futures and (self._futures[0][0] <= now or self._futures[0][1].done()):
            _, future = self._futures.popleft()
            if not future.done():
                future.set_exception(self._error())
        self._timer = loop.call_at(self._futures[0][0], self._look, loop) if self._futures else None
