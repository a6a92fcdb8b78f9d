"""Bounds on what one caller, and all callers, may have in the proxy at a time. Edge: asyncio.

Requests under way and calls that are held are counted, large bodies held are weighed, and so are large parts of answers that
wait for their client to read them. A caller beyond its bound is refused, or its answer is broken off;
other callers do not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator

from msgspec import Struct

from pep.config import PepConfig
from pep.errors import TooManyUnderWay
from pep.load.fair_units import FairUnits
from pep.ports import LostError

MAX_UNREAD_BYTES = 48 * 1024 * 1024
BODIES_WAITING_PER_CALLER = 16
_CALLERS_PART = 4  # one caller may hold a fourth of the bytes of bodies, and of the calls that wait


class UnderWay:
    """The requests of each caller that have not been answered yet."""

    def __init__(self, per_caller: int) -> None:
        """No request is under way yet."""
        self._per_caller = per_caller
        self._count: Counter[str] = Counter()

    @contextlib.contextmanager
    def counted(self, caller: str) -> Iterator[None]:
        """Count one more request while inside; raises `TooManyUnderWay`."""
        if self._count[caller] >= self._per_caller:
            raise TooManyUnderWay(
                f"You have {self._per_caller} requests under way; try again later"
            )
        self._count[caller] += 1
        try:
            yield
        finally:
            self._count[caller] -= 1
            if not self._count[caller]:
                del self._count[caller]


class Holding:
    """The calls that wait for people with their client connected; one caller may have a fourth of the places."""

    def __init__(self, most: int) -> None:
        """No call is held yet."""
        self._most = most
        self._most_of_caller = max(most // _CALLERS_PART, 1)
        self._count: Counter[str] = Counter()

    @contextlib.contextmanager
    def counted(self, caller: str) -> Iterator[bool]:
        """Count one more held call while inside, if there is a place: whether there is."""
        if self._count.total() >= self._most or self._count[caller] >= self._most_of_caller:
            yield False
            return
        self._count[caller] += 1
        try:
            yield True
        finally:
            self._count[caller] -= 1
            if not self._count[caller]:
                del self._count[caller]


class Unread:
    """Large parts of answers that are being written, as fast as their clients read them.

    When there are too many bytes, the oldest part of the caller with most bytes gives way. Clients that
    read are done soon, so this meets those that do not.
    """

    def __init__(self, max_bytes: int) -> None:
        """Nothing is being written yet."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._bytes_of: Counter[str] = Counter()
        self._writing: dict[str, OrderedDict[asyncio.Timeout, int]] = {}

    @contextlib.asynccontextmanager
    async def held(self, caller: str, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes while inside; raises `LostError` when this part had to give way."""
        try:
            async with asyncio.timeout(None) as deadline:
                self._writing.setdefault(caller, OrderedDict())[deadline] = size
                self._count(caller, size)
                self._make_room()
                try:
                    yield
                finally:
                    self._forget(caller, deadline)
        except TimeoutError as error:
            raise LostError("the client reads too slowly") from error

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes:
            ((caller, _),) = self._bytes_of.most_common(1)
            deadline = next(iter(self._writing[caller]))
            self._forget(caller, deadline)
            deadline.reschedule(asyncio.get_running_loop().time())

    def _forget(self, caller: str, deadline: asyncio.Timeout) -> None:
        writing = self._writing.get(caller, OrderedDict())
        size = writing.pop(deadline, 0)
        self._count(caller, -size)
        if not writing:
            self._writing.pop(caller, None)
            del self._bytes_of[caller]

    def _count(self, caller: str, size: int) -> None:
        self._bytes += size
        self._bytes_of[caller] += size


class Room(Struct, frozen=True):
    """The bounds of a proxy. The units of `bodies` are bytes."""

    under_way: UnderWay
    holding: Holding
    bodies: FairUnits
    unread: Unread

    @classmethod
    def of(cls, config: PepConfig) -> Room:
        """Make the bounds that the configuration sets."""
        held, largest = config.max_held_bytes, config.max_body_bytes
        return cls(
            UnderWay(config.max_under_way),
            Holding(config.max_holding),
            FairUnits(
                in_all=max(held, largest),
                per_caller=max(held // _CALLERS_PART, largest),
                waiting=BODIES_WAITING_PER_CALLER,
            ),
            Unread(MAX_UNREAD_BYTES),
        )
