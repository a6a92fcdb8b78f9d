"""The body of one request: when it may be read and held, and in whose slot it is judged. Edge.

A small body is read at once and costs a comparison. A large one waits unread until there is room to
hold it, and is parsed beside the event loop, in a slot of its caller that ends with the decision,
since a body that takes long to parse takes long to judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from pep.config import PepConfig
from pep.errors import TooManyUnderWay
from pep.front.body_reader import read_body, unpacked
from pep.load.fair_units import FairUnits
from pep.load.large_work import LARGE_BYTES, LargeWork, Slot
from pep.mcp.headers import RequestHeaders
from pep.ports import Receive

T = TypeVar("T")
# In the ASGI scope of a request whose whole body had arrived before the application began.
IS_HERE = "tipstaff.body_is_here"


class RequestBody:
    """One body of one caller."""

    def __init__(
        self,
        config: PepConfig,
        request_headers: RequestHeaders,
        caller: str,
        *,
        bodies: FairUnits,
        large: LargeWork,
        is_here: bool = False,
    ) -> None:
        """Nothing is held yet; `is_here` means that all of it has arrived."""
        self._config = config
        self._headers = request_headers
        self._caller = caller
        self._bodies = bodies
        self._large = large
        self._is_here = is_here
        self._coding = request_headers.encoding.lower()
        self._is_packed = self._coding not in {"", "identity"}
        self._held = 0
        self._slot: Slot | None = None

    async def receive(self, receive: Receive) -> bytes:
        """The whole body, as it came; raises what `read_body` raises, or `TooManyUnderWay`."""
        return await read_body(
            receive, self._headers.length, self._config, self._hold, is_here=self._is_here
        )

    async def read(self, body: bytes, reader: Callable[[bytes], T]) -> tuple[bytes, T]:
        """The decoded body, and the result of `reader`; the slot of a large body must be ended."""
        if len(body) <= LARGE_BYTES and not self._is_packed:
            return body, reader(body)
        if not self._held:
            await self._hold(len(body))
        self._slot = await self._large.begin(self._caller)
        return await self._slot.run(self._unpack_and_read, body, reader)

    @property
    def has_slot(self) -> bool:
        """Whether the body is judged in a slot, for which the large bodies of others wait."""
        return self._slot is not None

    def end_slot(self) -> None:
        """Free the slot for the caller's next large body: this one has been judged."""
        if self._slot is not None:
            self._slot.end()
            self._slot = None

    def release(self) -> None:
        """Free the bytes of the body, which is held no longer."""
        self.end_slot()
        if self._held:
            self._bodies.give_back(self._caller, self._held)
            self._held = 0

    def _unpack_and_read(self, body: bytes, reader: Callable[[bytes], T]) -> tuple[bytes, T]:
        plain = unpacked(body, self._coding, self._config.max_body_bytes)
        return plain, reader(plain)

    async def _hold(self, size: int) -> None:
        """Wait until a large body may be held; raises `TooManyUnderWay`."""
        units = self._config.max_body_bytes if self._is_packed else size
        try:
            async with asyncio.timeout(self._config.body_timeout_ms / 1000):
                await self._bodies.take(self._caller, units)
        except TimeoutError as error:
            raise TooManyUnderWay("Too many large requests are under way") from error
        self._held = units
