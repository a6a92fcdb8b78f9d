"""Work that nobody waits for, bounded, and ended with the proxy. Edge: asyncio.

Each kind of work has a lane of its own, so that a flood of one never pushes out another: refunds and
ends of calls wait for their turn, refusals to be recorded may be dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

import structlog

from tipstaff.common.lifelong import heard

AT_ONCE = 256

log = structlog.get_logger("pep")


class Background:
    """One lane: `at_once` tasks under way, and `waiting` more that begin when one has ended."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = 0) -> None:
        """No task runs yet."""
        self._at_once = at_once
        self._may_wait = waiting
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[str, Coroutine[Any, Any, None]]] = deque()

    def start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` without waiting; when the lane is full, `work` is dropped and logged."""
        if len(self._tasks) < self._at_once:
            self._begin(what, work)
        elif len(self._waiting) < self._may_wait:
            self._waiting.append((what, work))
        else:
            work.close()
            log.warning("not done: too many at once", what=what)

    async def close(self, seconds: float) -> None:
        """Give the tasks that run or wait `seconds` to end, then cancel them."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._tasks and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        while self._waiting:
            self._waiting.popleft()[1].close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        task = heard(what, asyncio.ensure_future(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._begin(*self._waiting.popleft())
