"""Units of something scarce, shared fairly between callers. Edge: asyncio.

Theory: so many units in all, so many per caller. A caller whose own share is used up waits for
itself, and holds up nobody else. The other callers are served round robin, one wish each, in the order
in which they came; the first wish that does not fit yet is waited for, because small wishes would
otherwise pass a large one for ever. The waiting wishes of one caller are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator

from pep.errors import TooManyUnderWay

_Wish = tuple[int, asyncio.Future[None]]


class FairUnits:
    """So many units `in_all`, `per_caller`, and so many wishes of one caller `waiting`."""

    def __init__(self, *, in_all: int, per_caller: int, waiting: int) -> None:
        """All units are free."""
        self._in_all = in_all
        self._per_caller = min(per_caller, in_all)
        self._waiting_bound = waiting
        self._used = 0
        self._used_by: Counter[str] = Counter()
        self._waiting: dict[str, deque[_Wish]] = {}  # in the order in which callers are served

    @contextlib.asynccontextmanager
    async def taken(self, caller: str, units: int = 1) -> AsyncIterator[None]:
        """Hold `units` while inside; raises `TooManyUnderWay`."""
        await self.take(caller, units)
        try:
            yield
        finally:
            self.give_back(caller, units)

    async def take(self, caller: str, units: int = 1) -> None:
        """Wait for `units`, which must be given back; raises `TooManyUnderWay`."""
        if units > self._per_caller:
            raise TooManyUnderWay("This is more than one caller may have under way")
        if caller not in self._waiting and self._fits(caller, units) and not self._is_awaited():
            self._hold(caller, units)
            return
        wishes = self._waiting.setdefault(caller, deque())
        if len(wishes) >= self._waiting_bound:
            raise TooManyUnderWay("Too many of your requests wait already; try again later")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wish = (units, future)
        wishes.append(wish)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(caller, units)
            else:
                self._withdraw(caller, wish)
            raise

    def give_back(self, caller: str, units: int = 1) -> None:
        """Free what `take` has taken."""
        self._used -= units
        self._used_by[caller] -= units
        if not self._used_by[caller]:
            del self._used_by[caller]
        self._serve()

    def _fits(self, caller: str, units: int) -> bool:
        return self._used + units <= self._in_all and self._is_own(caller, units)

    def _is_own(self, caller: str, units: int) -> bool:
        """Whether the caller's own share has room."""
        return self._used_by[caller] + units <= self._per_caller

    def _is_awaited(self) -> bool:
        """Whether a caller waits for units that other callers hold."""
        return any(self._is_own(caller, wishes[0][0]) for caller, wishes in self._waiting.items())

    def _hold(self, caller: str, units: int) -> None:
        self._used += units
        self._used_by[caller] += units

    def _withdraw(self, caller: str, wish: _Wish) -> None:
        wishes = self._waiting.get(caller)
        if wishes is not None and wish in wishes:
            wishes.remove(wish)
            if not wishes:
                del self._waiting[caller]
        self._serve()

    def _serve(self) -> None:
        """Give units to as many wishes as fit."""
        while (caller := self._next()) is not None:
            wishes = self._waiting.pop(caller)
            units, future = wishes.popleft()
            if wishes:
                self._waiting[caller] = wishes  # behind all other callers
            if not future.done():
                self._hold(caller, units)
                future.set_result(None)

    def _next(self) -> str | None:
        for caller, wishes in self._waiting.items():
            units, future = wishes[0]
            if future.done():
                return caller
            if self._is_own(caller, units):
                return caller if self._used + units <= self._in_all else None
        return None
