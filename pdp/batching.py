"""Calls wait together: while one query is in flight, those that arrive share the next.

No timer is involved, so that a lone call is not delayed. A group (of BatchDecide) is never split.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from pdp.api.model import Call
from pdp.decide import Judgement
from pdp.errors import Overloaded

JudgeMany = Callable[[Sequence[Call]], Awaitable[list[Judgement]]]


class Batcher:
    """Runs `judge` over what has queued: `in_flight` batches at a time, of `max_calls` each."""

    def __init__(
        self, judge: JudgeMany, *, max_calls: int, in_flight: int, max_waiting: int
    ) -> None:
        """Start nothing yet: see `run`."""
        self._judge = judge
        self._max_calls = max_calls
        self._in_flight = in_flight
        self._max_waiting = max_waiting
        self._waiting: deque[tuple[Sequence[Call], asyncio.Future[list[Judgement]]]] = deque()
        self._arrived = asyncio.Event()

    def submit(self, calls: Sequence[Call]) -> asyncio.Future[list[Judgement]]:
        """Queue `calls` to be judged together; raises `Overloaded`."""
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded(f"{len(self._waiting)} calls are waiting already")
        future: asyncio.Future[list[Judgement]] = asyncio.get_running_loop().create_future()
        self._waiting.append((calls, future))
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._in_flight):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await self._judge_next()

    async def _judge_next(self) -> None:
        groups = self._next_groups()
        calls = [call for group, _ in groups for call in group]
        try:
            judgements = await self._judge(calls)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the worker
            for _, future in groups:
                if not future.done():
                    future.set_exception(error)
            return
        start = 0
        for group, future in groups:
            if not future.done():
                future.set_result(judgements[start : start + len(group)])
            start += len(group)

    def _next_groups(self) -> list[tuple[Sequence[Call], asyncio.Future[list[Judgement]]]]:
        taken = [self._waiting.popleft()]
        count = len(taken[0][0])
        while self._waiting and count + len(self._waiting[0][0]) <= self._max_calls:
            taken.append(self._waiting.popleft())
            count += len(taken[-1][0])
        return taken
