"""A bounded queue of calls that wait to be judged, round robin over their callers. Does no I/O.

A flood fills the bound of its own caller only, and delays another caller by one call.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from msgspec import Struct

from pdp.errors import Overloaded

T = TypeVar("T")


class Bounds(Struct, frozen=True):
    """The most calls, and bytes of calls, that may wait: in all, and of one caller."""

    calls: int
    calls_per_caller: int
    bytes: int
    bytes_per_caller: int


class _Entry(Struct, Generic[T]):
    item: T
    calls: int
    bytes: int


class _Line(Generic[T]):
    """The items of one caller, in order."""

    def __init__(self) -> None:
        self.entries: deque[_Entry[T]] = deque()
        self.calls = 0
        self.bytes = 0


class FairQueue(Generic[T]):
    """A queue of items, each of some calls and bytes, which are never split."""

    def __init__(self, bounds: Bounds) -> None:
        """Begin empty; `calls` is how many wait."""
        self._bounds = bounds
        self._lines: dict[str, _Line[T]] = {}
        self._callers: deque[str] = (
            deque()
        )  # callers with waiting items, the next to be served first
        self.calls = 0
        self._bytes = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._callers)

    def put(self, caller: str, item: T, calls: int, size: int) -> None:
        """Queue `item`; raises `Overloaded`. An item of any size fits into an empty queue."""
        bounds, line = self._bounds, self._lines.get(caller)
        if self.calls and (self.calls + calls > bounds.calls or self._bytes + size > bounds.bytes):
            raise Overloaded(f"{self.calls} calls of {self._bytes} bytes are waiting already")
        if line is None:
            line = self._lines[caller] = _Line()
            self._callers.append(caller)
        elif line.calls + calls > bounds.calls_per_caller or (
            line.bytes + size > bounds.bytes_per_caller
        ):
            raise Overloaded(f"{line.calls} calls of this caller are waiting already")
        line.entries.append(_Entry(item, calls, size))
        self._count(line, calls, size)

    def take(self, max_calls: int, max_bytes: int) -> list[T]:
        """The next items, at least one, as many as fit."""
        taken: list[T] = []
        while self._callers:
            line = self._lines[self._callers[0]]
            entry = line.entries[0]
            max_calls -= entry.calls
            max_bytes -= entry.bytes
            if taken and (max_calls < 0 or max_bytes < 0):
                break
            taken.append(entry.item)
            line.entries.popleft()
            self._count(line, -entry.calls, -entry.bytes)
            caller = self._callers.popleft()
            if line.entries:
                self._callers.append(caller)
            else:
                del self._lines[caller]
        return taken

    def _count(self, line: _Line[T], calls: int, size: int) -> None:
        line.calls += calls
        line.bytes += size
        self.calls += calls
        self._bytes += size
