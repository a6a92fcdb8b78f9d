"""Tells open pages what has changed. Edge: asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from msgspec import Struct

APPROVALS = "approvals"
DECISIONS = "decisions"
_MOST_WAITING = 100


class Event(Struct, frozen=True):
    """What has changed, by one of the names above, with a word about it."""

    name: str
    word: str


class News:
    """Hands each event to everybody who listens; one who does not keep up misses some."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._listeners: dict[asyncio.Queue[Event], str] = {}

    def publish(self, event: Event) -> None:
        """Tell everybody who listens for events of this name."""
        for queue, name in self._listeners.items():
            if name == event.name and not queue.full():
                queue.put_nowait(event)

    async def listen(self, name: str) -> AsyncIterator[Event]:
        """What is published under this name from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_MOST_WAITING)
        self._listeners[queue] = name
        try:
            while True:
                yield await queue.get()
        finally:
            del self._listeners[queue]
