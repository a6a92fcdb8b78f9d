"""A memory of the newest entries, bounded in number and in weight. Does no I/O."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """A memory by key that forgets the oldest when it holds more than `count`, or than `weight`."""

    def __init__(self, count: int, weight: int) -> None:
        """Remember nothing yet."""
        self._max_count = count
        self._max_weight = weight
        self._weight = 0
        self._entries: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def put(self, key: str, value: T, weight: int) -> None:
        """Remember `value` as the newest; an earlier value of `key` is forgotten."""
        self.pop(key)
        self._entries[key] = (value, weight)
        self._weight += weight
        while len(self._entries) > self._max_count or self._weight > self._max_weight:
            _, (_, lightened) = self._entries.popitem(last=False)
            self._weight -= lightened

    def get(self, key: str) -> T | None:
        """The value under `key`, or `None`."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def pop(self, key: str) -> T | None:
        """Remove the value under `key` and return it."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._weight -= entry[1]
        return entry[0]
