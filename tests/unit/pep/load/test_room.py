"""How much one caller, and all of them, may have in the proxy at a time."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from pep.errors import TooManyUnderWay
from pep.load.room import Holding, UnderWay, Unread
from pep.ports import LostError


def test_a_caller_has_so_many_requests_under_way_and_no_more() -> None:
    """What has ended makes room; another caller has a count of its own."""
    under_way = UnderWay(2)
    with contextlib.ExitStack() as stack:
        for caller in ("flood", "flood", "calm"):
            stack.enter_context(under_way.counted(caller))
        with pytest.raises(TooManyUnderWay), under_way.counted("flood"):
            pass
    with under_way.counted("flood"), under_way.counted("flood"):
        pass


def test_so_many_calls_are_held_and_a_fourth_of_them_of_one_caller() -> None:
    """Whoever finds no place is told so; places are free again afterwards, also after an error."""
    holding = Holding(8)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(holding.counted("flood")) for _ in range(3)]
        assert held == [True, True, False]
        calm = [stack.enter_context(holding.counted(f"c{n}")) for n in range(7)]
        assert calm == [True] * 6 + [False]
    with contextlib.suppress(RuntimeError), holding.counted("flood"):
        raise RuntimeError
    with holding.counted("flood") as first, holding.counted("flood") as second:
        assert first
        assert second


def test_a_single_place_is_for_whoever_comes_first() -> None:
    """A fourth of few is still one."""
    holding = Holding(1)
    with holding.counted("a") as first, holding.counted("b") as second:
        assert (first, second) == (True, False)


async def test_the_oldest_of_who_has_most_unread_gives_way() -> None:
    """An honest reader's answer stays, however many others are not read."""
    unread, ended = Unread(100), []

    async def write(caller: str, name: str, size: int) -> None:
        try:
            async with unread.held(caller, size):
                await asyncio.sleep(10)
        except LostError:
            ended.append(name)

    honest = asyncio.ensure_future(write("calm", "calm", 30))
    await asyncio.sleep(0)
    flood = [asyncio.ensure_future(write("flood", f"f{n}", 40)) for n in range(4)]
    await asyncio.sleep(0.05)
    assert ended == ["f0", "f1", "f2"]
    assert not honest.done()
    for task in (honest, *flood):
        task.cancel()
    await asyncio.gather(honest, *flood, return_exceptions=True)
    async with unread.held("anybody", 100):
        pass


async def test_what_is_too_large_for_all_of_the_room_is_broken_off() -> None:
    """It gives way itself; the failure of its writer is not hidden by that."""
    unread = Unread(100)
    with pytest.raises(LostError):
        async with unread.held("a", 101):
            await asyncio.sleep(10)
    with pytest.raises(ValueError, match="own"):
        async with unread.held("a", 100):
            raise ValueError("own")
    async with unread.held("b", 100):
        pass
