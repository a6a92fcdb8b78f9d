"""Batches of calls: while one query is in flight, the calls that arrive share the next.

No timer is involved, so that a lone call is not delayed. A group (of BatchDecide) is never split. The answers of
a batch are on their way before the next one is judged: who gets them asks again meanwhile, instead of waiting for
the service that waits for them.

Callers are served round robin. A call with large arguments is judged alone, in a lane of its own: however slow it
is, it neither delays nor fails a small one. What has waited too long is refused unjudged: who asked has given up,
and judging it would only make the next ones wait as long.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from pdp.api.model import Call
from pdp.decide import Judgement
from pdp.errors import Overloaded
from pdp.grpc.fair_queue import Bounds, FairQueue

LARGE_BYTES = 64 * 1024
LARGE_AT_ONCE = 1
MAX_BATCH_BYTES = 512 * 1024
MAX_WAITING_BYTES = 64 * 1024 * 1024
_CALLERS_PART = 4  # one caller may have a fourth of the bytes that wait
# So many turns of the event loop it takes from a judgement to the message that has it: each future on the way takes one.
_TURNS_TO_ANSWER = 3

JudgeMany = Callable[[Sequence[Call]], Awaitable[list[Judgement]]]


class _Group(Struct, frozen=True):
    """Calls that are judged together, their future judgements, and when they came by the loop's clock."""

    calls: Sequence[Call]
    future: asyncio.Future[list[Judgement]]
    came: float


class _Lane:
    """A queue of groups of one kind, and the workers that empty it."""

    def __init__(self, max_calls: int, bounds: Bounds) -> None:
        self.max_calls = max_calls
        self.waiting: FairQueue[_Group] = FairQueue(bounds)
        self.arrived = asyncio.Event()
        self.turn = asyncio.Lock()

    async def ready(self) -> None:
        """Wait for calls; then until earlier answers are on their way, and as long as calls keep coming that fit."""
        while not self.waiting:
            self.arrived.clear()
            await self.arrived.wait()
        turns, calls = 0, self.waiting.calls
        while turns < _TURNS_TO_ANSWER:
            await asyncio.sleep(0)
            is_filling = calls < self.waiting.calls < self.max_calls
            turns, calls = 0 if is_filling else turns + 1, self.waiting.calls


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
        max_wait: float = math.inf,
    ) -> None:
        """Start nothing yet: see `run`. Calls that have waited for `max_wait` seconds are refused."""
        self._judge = judge
        self._max_wait = max_wait
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
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Judgement]] = loop.create_future()
        sizes = [len(call.arguments) + len(call.principal.claims) for call in calls]
        size = sum(sizes)
        is_large = size > LARGE_BYTES and (max(sizes) > LARGE_BYTES or size > MAX_BATCH_BYTES)
        lane = self._large if is_large else self._small
        group = _Group(calls, future, loop.time())
        lane.waiting.put(calls[0].principal.id, group, len(calls), size)
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
            # Nothing here names the groups, which would keep them in memory until the next come.
            await self._judge_all(await self._next(lane))

    async def _next(self, lane: _Lane) -> list[_Group]:
        """The next groups; one worker at a time waits for them."""
        async with lane.turn:
            await lane.ready()
            return self._in_time(lane.waiting.take(lane.max_calls, MAX_BATCH_BYTES))

    def _in_time(self, groups: Sequence[_Group]) -> list[_Group]:
        """The groups that have not waited too long; the others fail with `Overloaded`."""
        oldest = asyncio.get_running_loop().time() - self._max_wait
        for group in groups:
            if group.came <= oldest and not group.future.done():
                group.future.set_exception(
                    Overloaded(f"the call has waited for {self._max_wait:g} seconds")
                )
        return [group for group in groups if group.came > oldest]

    async def _judge_all(self, groups: Sequence[_Group]) -> None:
        calls = [call for group in groups for call in group.calls]
        if not calls:
            return
        try:
            judgements = await self._judge(calls)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the worker
            for group in groups:
                if not group.future.done():
                    group.future.set_exception(error)
            return
        start = 0
        for group in groups:
            if not group.future.done():
                group.future.set_result(judgements[start : start + len(group.calls)])
            start += len(group.calls)
