"""The lifelong work of a process: none of it dies unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import structlog

from tipstaff.common.lifelong import EndedError, Lifelong


class Work:
    """Work without end, which knows whether it was stopped."""

    def __init__(self) -> None:
        self.was_stopped = False

    async def go_on(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.was_stopped = True


async def fails() -> None:
    await asyncio.sleep(0)
    raise OSError("broken")


async def ends() -> None:
    await asyncio.sleep(0)


async def block(error: Exception | None = None, **works: Coroutine[Any, Any, None]) -> None:
    """A block that does `works` and waits for something else, or raises `error`."""
    async with Lifelong() as lifelong:
        for what, work in works.items():
            lifelong.start(what, work)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        await asyncio.Event().wait()


async def test_work_goes_on_until_the_block_ends_and_is_stopped_with_it() -> None:
    """Without an error, since nothing has failed."""
    work = Work()
    async with Lifelong() as lifelong:
        lifelong.start("work", work.go_on())
        await asyncio.sleep(0.01)
        assert not work.was_stopped
    assert work.was_stopped


async def test_work_that_fails_ends_the_block_with_its_own_error() -> None:
    """The block is left though it waits for something else, and the rest is stopped."""
    work = Work()
    with structlog.testing.capture_logs() as logs, pytest.raises(OSError, match="broken"):
        await block(work=work.go_on(), watch=fails())
    assert work.was_stopped
    assert [(one["part"], one["log_level"]) for one in logs] == [("watch", "critical")]
    assert "broken" in logs[0]["error"]


async def test_work_that_just_ends_has_failed() -> None:
    """It was to go on for ever."""
    with pytest.raises(EndedError, match="watch has ended"):
        await block(watch=ends())


async def test_an_error_of_the_block_stops_the_work_and_stays_what_it_is() -> None:
    """As of a start that failed."""
    work = Work()
    with pytest.raises(KeyError):
        await block(KeyError("start"), work=work.go_on())
    assert work.was_stopped


async def test_who_waits_for_the_block_can_still_give_up() -> None:
    """A cancelled block is cancelled, not failed."""
    task = asyncio.ensure_future(block(work=Work().go_on()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
