"""Large work runs beside the event loop, in its caller's slot."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pep.errors import TooManyUnderWay
from pep.load.large_work import LargeWork


async def test_the_loop_goes_on_while_a_large_piece_is_worked_at() -> None:
    """That is what the thread is for."""
    begun, go_on = threading.Event(), threading.Event()

    def piece(text: str) -> str:
        begun.set()
        assert go_on.wait(10)
        return text + "!"

    work = asyncio.ensure_future(LargeWork().run("caller", piece, "done"))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    go_on.set()
    assert await work == "done!"


async def test_what_the_work_raises_reaches_who_asked_for_it() -> None:
    """A refused body is refused from a thread as well."""
    with pytest.raises(ZeroDivisionError):
        await LargeWork().run("caller", lambda: 1 // 0)


async def test_one_caller_has_one_slot_and_its_pieces_run_within_it() -> None:
    """Two pieces of one slot wait for nobody; a second slot waits for the first."""
    work = LargeWork(waiting=1)
    async with work.slot("caller") as slot:
        assert await slot.run(len, b"ab") == 2
        second = asyncio.ensure_future(work.run("caller", len, b"abc"))
        await asyncio.sleep(0)
        with pytest.raises(TooManyUnderWay):
            await work.run("caller", len, b"")
        assert await asyncio.wait_for(work.run("other", len, b""), 5) == 0
        assert await slot.run(len, b"abcd") == 4
        assert not second.done()
    assert await second == 3


async def test_a_caller_who_leaves_has_no_second_piece_before_the_first_has_ended() -> None:
    """A thread cannot be stopped: else one caller could have any number of them at work."""
    begun, go_on = threading.Event(), threading.Event()

    def piece() -> None:
        begun.set()
        assert go_on.wait(10)

    work = LargeWork()
    left = asyncio.ensure_future(work.run("caller", piece))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    again = asyncio.ensure_future(work.run("caller", len, b""))
    await asyncio.sleep(0.02)
    assert not again.done()
    go_on.set()
    assert await asyncio.wait_for(again, 5) == 0
