"""When a body may be held, and whose slot it is judged in."""

from __future__ import annotations

import asyncio
import gzip
import threading

import pytest

from pep.config import PepConfig
from pep.errors import BodyTooLarge, TooManyUnderWay
from pep.front.request_body import RequestBody
from pep.load.fair_units import FairUnits
from pep.load.large_work import LARGE_BYTES, LargeWork
from pep.mcp.headers import RequestHeaders

LIMIT = 1_000_000
CONFIG = PepConfig(max_body_bytes=LIMIT, body_timeout_ms=50)


class Site:
    """The room of a proxy for two large bodies in all."""

    def __init__(self) -> None:
        self.units = FairUnits(in_all=2 * LIMIT, per_caller=2 * LIMIT, waiting=4)
        self.large = LargeWork()

    def body(self, caller: str = "ann", encoding: str = "") -> RequestBody:
        request_headers = RequestHeaders(encoding=encoding)
        return RequestBody(CONFIG, request_headers, caller, bodies=self.units, large=self.large)

    async def is_full(self) -> bool:
        """Whether there is no room for one more."""
        try:
            async with asyncio.timeout(0.01):
                await self.units.take("other", 1)
        except TimeoutError:
            return True
        self.units.give_back("other", 1)
        return False


async def test_a_small_body_is_read_where_it_is() -> None:
    """It holds nothing, and takes no slot."""
    site = Site()
    body = site.body()
    plain, thread = await body.read(b"{}", lambda _: threading.get_ident())
    assert (plain, thread) == (b"{}", threading.get_ident())
    assert body._held == 0
    body.release()


@pytest.mark.parametrize("is_packed", [False, True])
async def test_a_large_or_packed_body_is_read_in_a_thread_in_its_callers_slot(
    is_packed: bool,
) -> None:
    """The next of the same caller waits until that is judged."""
    site = Site()
    text = b"x" * (LARGE_BYTES + 1)
    data, coding = (gzip.compress(text), "gzip") if is_packed else (text, "")
    first, second = site.body(encoding=coding), site.body(encoding=coding)
    plain, thread = await first.read(data, lambda _: threading.get_ident())
    assert plain == text
    assert thread != threading.get_ident()
    waiting = asyncio.ensure_future(second.read(data, len))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    first.end_slot()
    assert (await waiting)[1] == len(text)
    first.release()
    second.release()


async def test_a_packed_body_holds_what_it_may_become() -> None:
    """Until it is released, however often that is."""
    site = Site()
    bodies = [site.body(caller, "gzip") for caller in ("ann", "bob")]
    for body in bodies:
        await body.read(gzip.compress(b"{}"), len)
    assert await site.is_full()
    for body in bodies:
        body.release()
        body.release()
    assert not await site.is_full()


async def test_a_body_for_which_there_is_no_room_in_time_is_refused() -> None:
    """The client may try again."""
    site = Site()
    await site.units.take("bob", 2 * LIMIT)
    with pytest.raises(TooManyUnderWay):
        await site.body(encoding="gzip").read(gzip.compress(b"{}"), len)


async def test_what_a_bad_body_held_is_free_again() -> None:
    """And its slot."""
    site = Site()
    body = site.body(encoding="gzip")
    with pytest.raises(BodyTooLarge):
        await body.read(gzip.compress(b"x" * (LIMIT + 1)), len)
    body.release()
    other = site.body(encoding="gzip")
    async with asyncio.timeout(5):
        await other.read(gzip.compress(b"{}"), len)
    other.release()
