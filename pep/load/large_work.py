"""Large work: off the event loop, and charged to the caller who causes it. Edge: asyncio, threads.

Work that takes milliseconds (to parse or inflate a large body, to judge a long list) would hold up
every other caller, so each caller has one such piece done at a time, and all callers together a few.
Small work needs no slot: compare sizes first (`LARGE_BYTES`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from pep.load.fair_units import FairUnits

LARGE_BYTES = 64 * 1024
_AT_ONCE = 2
_WAITING_PER_CALLER = 16

P = ParamSpec("P")
T = TypeVar("T")


class Slot:
    """The right to do one caller's large work, piece after piece, until `end`."""

    def __init__(self, threads: ThreadPoolExecutor, give_back: Callable[[], None]) -> None:
        """Nothing runs yet."""
        self._threads = threads
        self._give_back: Callable[[], None] | None = give_back
        self._piece: asyncio.Future[Any] | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a thread, while the event loop goes on; returns or raises as it does."""
        loop = asyncio.get_running_loop()
        piece = loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
        self._piece = piece
        return await asyncio.shield(piece)

    def end(self) -> None:
        """Free the slot, once nothing runs in it: a thread goes on though nobody waits for it."""
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        if self._piece is None or self._piece.done():
            give_back()
        else:
            self._piece.add_done_callback(lambda _: give_back())


class LargeWork:
    """The slots of all callers, and the threads that work in them."""

    def __init__(self, at_once: int = _AT_ONCE, waiting: int = _WAITING_PER_CALLER) -> None:
        """`at_once` pieces in all, one per caller; of each caller `waiting` more may wait."""
        self._units = FairUnits(in_all=at_once, per_caller=1, waiting=waiting)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="large")

    async def begin(self, caller: str) -> Slot:
        """Wait for the caller's slot, which must be ended; raises `TooManyUnderWay`.

        Do not call this while the caller's slot is held: it would wait for itself.
        """
        await self._units.take(caller)
        return Slot(self._threads, lambda: self._units.give_back(caller))

    @contextlib.asynccontextmanager
    async def slot(self, caller: str) -> AsyncIterator[Slot]:
        """A slot that is held while inside; see `begin`."""
        slot = await self.begin(caller)
        try:
            yield slot
        finally:
            slot.end()

    async def run(
        self, caller: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do one piece of work in a slot of its own; raises `TooManyUnderWay`."""
        async with self.slot(caller) as slot:
            return await slot.run(function, *args, **kwargs)
