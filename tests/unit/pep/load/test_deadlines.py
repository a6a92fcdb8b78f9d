"""Deadlines of one length: who is late fails, who is done is left alone, and one timer is enough."""

from __future__ import annotations

import asyncio

import pytest

from pep.load.deadlines import Deadlines


class LateError(Exception):
    """It took too long."""


async def test_a_future_that_is_not_done_in_time_fails_and_others_do_not() -> None:
    """Each counts from its own beginning."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.05, LateError)
    late, done, later = loop.create_future(), loop.create_future(), loop.create_future()
    deadlines.add(late)
    deadlines.add(done)
    done.set_result(1)
    await asyncio.sleep(0.03)
    deadlines.add(later)
    began = loop.time()
    with pytest.raises(LateError):
        await late
    assert not later.done()
    assert await done == 1
    with pytest.raises(LateError):
        await later
    assert 0.04 < loop.time() - began < 0.5


async def test_a_future_that_was_cancelled_is_left_alone() -> None:
    """Nobody waits for it; and those after it are still watched."""
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.02, LateError)
    for _ in range(3):
        cancelled: asyncio.Future[None] = loop.create_future()
        deadlines.add(cancelled)
        cancelled.cancel()
        late: asyncio.Future[None] = loop.create_future()
        deadlines.add(late)
        with pytest.raises(LateError):
            await late
        await asyncio.sleep(0.03)
