"""Large work: off the event loop, and charged to the caller who causes it. Edge: asyncio, threads.

What takes milliseconds (the parse of a large body, its inflation, the judging of a long list) would
hold up every other caller, so each caller does one such piece at a time, and all of them together a
few. What is small needs no turn: compare sizes first (`LARGE_BYTES`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from pep.turns import Turns

LARGE_BYTES = 64 * 1024
_AT_ONCE = 2
_WAITING_PER_CALLER = 16

P = ParamSpec("P")
T = TypeVar("T")


class Turn:
    """The right to do one caller's large work, piece after piece."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        """Nothing runs yet."""
        self._threads = threads
        self._piece: asyncio.Future[Any] | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises, while the event loop goes on with others."""
        loop = asyncio.get_running_loop()
        piece = loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
        self._piece = piece
        return await asyncio.shield(piece)

    def after(self, done: Callable[[], None]) -> None:
        """Call `done` once nothing runs: a thread goes on though nobody waits for it any more."""
        if self._piece is None or self._piece.done():
            done()
        else:
            self._piece.add_done_callback(lambda _: done())


class LargeWork:
    """The turns of all callers, and the threads of those whose turn it is."""

    def __init__(self, at_once: int = _AT_ONCE, waiting: int = _WAITING_PER_CALLER) -> None:
        """`at_once` pieces in all, one per caller; of each caller `waiting` more may wait."""
        self._turns = Turns(in_all=at_once, per_caller=1, waiting=waiting)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="large")

    @contextlib.asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[Turn]:
        """Wait for the caller's turn, and hold it while inside; raises `TooManyUnderWay`.

        Not to be asked for while the caller's turn is held: it would wait for itself.
        """
        await self._turns.take(caller)
        turn = Turn(self._threads)
        try:
            yield turn
        finally:
            turn.after(lambda: self._turns.give_back(caller))

    async def run(
        self, caller: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """One piece of work in a turn of its own; raises `TooManyUnderWay`."""
        async with self.turn(caller) as turn:
            return await turn.run(function, *args, **kwargs)
