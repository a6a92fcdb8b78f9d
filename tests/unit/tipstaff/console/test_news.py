"""Events reach the pages that listen for them."""

from __future__ import annotations

import asyncio

from tipstaff.console.news import APPROVALS, DECISIONS, Event, News


async def test_an_event_reaches_those_who_listen_for_its_name() -> None:
    """And nobody who has left."""
    news = News()
    first, second = news.listen(APPROVALS), news.listen(DECISIONS)
    hearing = asyncio.ensure_future(anext(first))
    other = asyncio.ensure_future(anext(second))
    await asyncio.sleep(0)
    news.publish(Event(APPROVALS, "a-1"))
    assert (await hearing).word == "a-1"
    assert not other.done()
    other.cancel()
    await first.aclose()  # type: ignore[attr-defined]
    news.publish(Event(APPROVALS, "a-2"))


async def test_who_does_not_keep_up_misses_some_and_nobody_waits() -> None:
    """The memory for one listener is bounded."""
    news = News()
    slow = news.listen(APPROVALS)
    hearing = asyncio.ensure_future(anext(slow))
    await asyncio.sleep(0)
    for number in range(1000):
        news.publish(Event(APPROVALS, str(number)))
    assert (await hearing).word == "0"
    heard = [(await anext(slow)).word for _ in range(99)]
    assert heard[-1] == "99"
