"""Work that goes on for as long as its process: the first of it that fails, or just ends, ends the process.

A task that nobody waits for dies unseen, and what it did is no longer done while everything looks
well. So such work runs in one group per process: its failure is logged with its cause, the rest is
stopped in order, the exit code tells, and `tipstaff up` starts the process again. Edge: asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

import structlog

log = structlog.get_logger("lifelong")


class EndedError(Exception):
    """Work that goes on for ever has come to an end."""


class Lifelong:
    """The lifelong work of a process, as a block: leaving the block stops it, its failure leaves the block."""

    def __init__(self) -> None:
        """Begin without any work."""
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` until the block ends; `what` names it in the log."""
        self._tasks.append(self._group.create_task(_watched(what, work)))

    async def __aenter__(self) -> Self:
        """Begin the block."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all work. Raises what has failed first, in the work or in the block."""
        for task in self._tasks:
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None


def heard(what: str, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
    """`task`, for work that ends by itself and that nobody waits for: its failure is logged."""

    def tell(done: asyncio.Task[Any]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("not done", what=what, error=repr(error), exc_info=error)

    task.add_done_callback(tell)
    return task


async def _watched(what: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
        raise EndedError(f"{what} has ended")
    except Exception as error:
        log.critical(
            "the process ends, because a part of it has failed", part=what, error=repr(error)
        )
        raise
