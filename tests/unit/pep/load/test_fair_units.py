"""Who waits for whom at something scarce."""

from __future__ import annotations

import asyncio

import pytest

from pep.errors import TooManyUnderWay
from pep.load.fair_units import FairUnits


async def settled() -> None:
    """Let everything that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_are_served_round_robin_whoever_has_more_to_wish() -> None:
    """A flood of one caller delays another by one turn, not by the flood."""
    units = FairUnits(in_all=1, per_caller=1, waiting=10)
    order: list[str] = []

    async def wish(caller: str) -> None:
        async with units.taken(caller):
            order.append(caller)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for caller in ["flood"] * 5 + ["calm", "quiet", "calm"]:
            group.create_task(wish(caller))
    assert order == ["flood", "flood", "calm", "quiet", "flood", "calm", "flood", "flood"]


async def test_a_caller_whose_share_is_used_up_holds_up_nobody() -> None:
    """It waits for itself, also when it came first."""
    units = FairUnits(in_all=2, per_caller=1, waiting=10)
    await units.take("flood")
    waiting = asyncio.ensure_future(units.take("flood"))
    await settled()
    await asyncio.wait_for(units.take("calm"), 1)
    assert not waiting.done()
    units.give_back("flood")
    await asyncio.wait_for(waiting, 1)


async def test_a_large_wish_is_not_passed_by_small_ones_for_ever() -> None:
    """Whoever waits for others is waited for."""
    units = FairUnits(in_all=4, per_caller=4, waiting=10)
    await units.take("first", 2)
    large = asyncio.ensure_future(units.take("large", 4))
    await settled()
    small = asyncio.ensure_future(units.take("small", 1))
    await settled()
    assert not small.done()
    units.give_back("first", 2)
    await large
    assert not small.done()
    units.give_back("large", 4)
    await asyncio.wait_for(small, 1)


async def test_more_wishes_than_may_wait_are_refused_to_their_caller_only() -> None:
    """The bound is each caller's own."""
    units = FairUnits(in_all=1, per_caller=1, waiting=1)
    await units.take("flood")
    waiting = [asyncio.ensure_future(units.take(caller)) for caller in ("flood", "calm")]
    await settled()
    with pytest.raises(TooManyUnderWay):
        await units.take("flood")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_wish_that_could_never_be_granted_is_refused_at_once() -> None:
    """It would wait for ever."""
    with pytest.raises(TooManyUnderWay):
        await FairUnits(in_all=4, per_caller=2, waiting=1).take("large", 3)


async def test_who_leaves_while_waiting_or_while_being_served_leaves_nothing_taken() -> None:
    """The turn goes to the next."""
    units = FairUnits(in_all=1, per_caller=1, waiting=10)
    await units.take("first")
    leaving = asyncio.ensure_future(units.take("leaving"))
    served = asyncio.ensure_future(units.take("served"))
    last = asyncio.ensure_future(units.take("last"))
    await settled()
    leaving.cancel()
    await settled()
    units.give_back("first")  # `served` has its turn from here on, but has not run yet
    served.cancel()
    await asyncio.wait_for(last, 1)
    units.give_back("last")
    await asyncio.wait_for(units.take("anybody"), 1)
