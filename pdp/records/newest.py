"""A journal that keeps its newest records in memory, for people who watch. Edge: the journal that it wraps.

A record counts once it is in the journal. What is kept is bounded in number and in bytes; a record
costs a reference here, and nothing else on the way of a call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from pdp.ports import Journal

MOST = 2000
MOST_BYTES = 8 * 1024 * 1024
_MOST_SENT = 1024 * 1024
"""Bytes of one message: clients of gRPC take 4 MiB unless told otherwise."""


class Part(Struct, frozen=True):
    """Records that follow one another: whole lines, the number of the last, how many before them are forgotten."""

    lines: bytes
    number: int
    missed: int = 0


class NewestRecords:
    """Writes to a journal, and remembers what was written last."""

    def __init__(self, journal: Journal, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        """Remember at most so many records, and so many bytes of them."""
        self._journal = journal
        self._most = most
        self._most_bytes = most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._number = 0
        self._news = asyncio.Event()

    def write(self, lines: Sequence[bytes]) -> None:
        """Append whole lines, all or none. Raises `JournalError`."""
        self._journal.write(lines)
        for line in lines:
            self._lines.append(line)
            self._bytes += len(line)
        self._number += len(lines)
        while len(self._lines) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._lines.popleft())
        self._news.set()

    async def wait(self, number: int) -> None:
        """Wait until there are records after `number`."""
        while self._number <= number:
            self._news.clear()
            await self._news.wait()

    def after(self, number: int) -> Part:
        """Records after `number`, as many as fit in one message, and one at least if there is one."""
        first = self._number - len(self._lines)
        lines: list[bytes] = []
        size = 0
        for line in islice(self._lines, max(number - first, 0), None):
            if lines and size + len(line) > _MOST_SENT:
                break
            lines.append(line)
            size += len(line)
        last = max(number, first) + len(lines)
        return Part(b"".join(lines), last, max(first - number, 0))
