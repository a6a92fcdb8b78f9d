"""Work that nobody waits for, bounded, and ended with the proxy. Edge: asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from pdp.lifelong import heard

_AT_ONCE = 256

log = structlog.get_logger("pep")


class Background:
    """Tasks under way."""

    def __init__(self) -> None:
        """None yet."""
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` without waiting; more than a bounded number at once are dropped and logged."""
        if len(self._tasks) >= _AT_ONCE:
            work.close()
            log.warning("not done: too many at once", what=what)
            return
        task = heard(what, asyncio.ensure_future(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, seconds: float) -> None:
        """Give what is under way a little time, then end it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
