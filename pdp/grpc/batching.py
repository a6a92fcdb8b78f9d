"""Batches of calls: while one query is in flight, the calls that arrive share the next.

No timer is involved, so that a lone call is not delayed. A group (of BatchDecide) is never split.
Callers are served round robin. A call with large arguments is judged alone, in a lane of its own:
however slow it is, it neither delays nor fails a small one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pdp.api.model import Call
from pdp.decide import Judgement
from pdp.grpc.fair_queue import Bounds, FairQueue

LARGE_BYTES = 64 * 1024
LARGE_AT_ONCE = 1
MAX_BATCH_BYTES = 512 * 1024
MAX_WAITING_BYTES = 64 * 1024 * 1024
_CALLERS_PART = 4  # one caller may have a fourth of the bytes that wait

JudgeMany = Callable[[Sequence[Call]], Awaitable[list[Judgement]]]
_Group = tuple[Sequence[Call], asyncio.Future[list[Judgement]]]


class _Lane:
    """A queue of groups of one kind, and the workers that empty it."""

    def __init__(self, max_calls: int, bounds: Bounds) -> None:
        self.max_calls = max_calls
        self.waiting: FairQueue[_Group] = FairQueue(bounds)
        self.arrived = asyncio.Event()


class Batcher:
    """Runs `judge` over queued calls: `in_flight` batches at a time, of `max_calls` each."""

    def __init__(
        self,
        judge: JudgeMany,
        *,
        max_calls: int,
        in_flight: int,
        max_waiting: int,
        max_waiting_per_caller: int | None = None,
    ) -> None:
        """Start nothing yet: see `run`."""
        self._judge = judge
        self._in_flight = in_flight
        bounds = Bounds(
            calls=max_waiting,
            calls_per_caller=max_waiting_per_caller or max_waiting,
            bytes=MAX_WAITING_BYTES,
            bytes_per_caller=MAX_WAITING_BYTES // _CALLERS_PART,
        )
        self._small = _Lane(max_calls, bounds)
        self._large = _Lane(1, bounds)

    def submit(self, calls: Sequence[Call]) -> asyncio.Future[list[Judgement]]:
        """Queue `calls` to be judged together; raises `Overloaded`."""
        future: asyncio.Future[list[Judgement]] = asyncio.get_running_loop().create_future()
        sizes = [len(call.arguments) + len(call.principal.claims) for call in calls]
        size = sum(sizes)
        is_large = size > LARGE_BYTES and (max(sizes) > LARGE_BYTES or size > MAX_BATCH_BYTES)
        lane = self._large if is_large else self._small
        lane.waiting.put(calls[0].principal.id, (calls, future), len(calls), size)
        lane.arrived.set()
        return future

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._in_flight):
                group.create_task(self._work(self._small))
            for _ in range(LARGE_AT_ONCE):
                group.create_task(self._work(self._large))

    async def _work(self, lane: _Lane) -> None:
        while True:
            while not lane.waiting:
                lane.arrived.clear()
                await lane.arrived.wait()
            await self._judge_all(lane.waiting.take(lane.max_calls, MAX_BATCH_BYTES))

    async def _judge_all(self, groups: Sequence[_Group]) -> None:
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
