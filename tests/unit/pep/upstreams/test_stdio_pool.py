"""Processes are started when somebody needs one and ended when nobody does; children without processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from pep.config import Server
from pep.ports import BusyError, NeverReachedError, NeverSentCancelledError
from pep.upstreams import stdio_pool
from pep.upstreams.shares import ChildKey
from pep.upstreams.stdio_pool import Pool
from tests.scripted_child import Clock, ScriptedChild, settle

SERVER = Server("s", command=("x",), max_processes=2, idle_seconds=60)
ANN, BOB = (ChildKey("modern", "s", caller) for caller in ("ann", "bob"))


class Site:
    """A pool, the children it has started, and a gate that holds up starts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.children: list[ScriptedChild] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.pool = Pool(self.clock, self._start)  # type: ignore[arg-type]

    async def _start(self, server: Server) -> ScriptedChild:
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.children.append(ScriptedChild(len(self.children)))
        return self.children[-1]


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[Site]:
    one = Site()
    try:
        yield one
    finally:
        one.gate.set()
        await one.pool.close()
        assert all(child.is_ended for child in one.children)


def events(logs: list[dict[str, object]]) -> list[object]:
    return [entry["event"] for entry in logs]


async def test_whoever_comes_while_a_process_starts_shares_it() -> None:
    """One is started for both."""
    async with site() as one:
        one.gate.clear()
        asking = [asyncio.ensure_future(one.pool.open(ANN, SERVER)) for _ in range(3)]
        await settle()
        assert one.pool.find(ANN) is None
        one.gate.set()
        first, *others = await asyncio.gather(*asking)
        assert all(other is first for other in others)
        assert one.pool.find(ANN) is first
        assert len(one.children) == 1


async def test_a_start_that_is_held_up_holds_up_nobody_else() -> None:
    """Not another caller's use of a process that runs."""
    async with site() as one:
        ready = await one.pool.open(ANN, SERVER)
        one.gate.clear()
        waiting = asyncio.ensure_future(one.pool.open(BOB, SERVER))
        await settle()
        assert await one.pool.open(ANN, SERVER) is ready
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(NeverSentCancelledError):
            await waiting


async def test_a_process_that_cannot_start_is_an_error_for_all_who_wait_and_is_tried_again() -> (
    None
):
    """And is logged once."""
    async with site() as one:
        one.failure = NeverReachedError("no program")
        with capture_logs() as logs:
            asking = [one.pool.open(ANN, SERVER) for _ in range(2)]
            failures = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(failure) for failure in failures] == ["no program"] * 2
        assert events(logs) == ["server not started"]
        one.failure = None
        assert await one.pool.open(ANN, SERVER)


async def test_there_are_never_more_processes_than_configured() -> None:
    """Those that are ending count until they have."""
    async with site() as one:
        server = structs.replace(SERVER, max_processes=1)
        await one.pool.open(ANN, server)
        one.children[0].ends.clear()
        one.pool.retire_soon(ANN)
        with pytest.raises(BusyError):
            await one.pool.open(BOB, server)
        one.children[0].ends.set()
        await settle()
        await one.pool.open(BOB, server)
        assert [child.is_ended for child in one.children] == [True, False]


async def test_a_newcomer_waits_for_the_end_of_the_process_that_makes_room() -> None:
    """The longest unused of its own."""
    async with site() as one:
        keys = [ChildKey("legacy", "s", "ann", session) for session in "123"]
        for key in keys[:2]:
            await one.pool.open(key, SERVER)
            one.clock.seconds += 1
        one.children[0].ends.clear()
        waiting = asyncio.ensure_future(one.pool.open(keys[2], SERVER))
        await settle()
        assert (len(one.children), waiting.done()) == (2, False)
        one.children[0].ends.set()
        await waiting
        assert one.pool.find(keys[0]) is None
        assert one.pool.find(keys[1]) is not None


async def test_to_retire_a_process_waits_for_its_end_and_one_that_is_not_there_is_none() -> None:
    """Also when whoever waits is gone, it ends."""
    async with site() as one:
        await one.pool.retire(ANN)
        await one.pool.open(ANN, SERVER)
        one.children[0].ends.clear()
        retiring = asyncio.ensure_future(one.pool.retire(ANN))
        await settle()
        assert not retiring.done()
        retiring.cancel()
        one.children[0].ends.set()
        await settle()
        assert one.children[0].is_ended


async def test_a_process_that_is_retired_while_it_starts_is_ended_once_it_has() -> None:
    """Nobody is left with it."""
    async with site() as one:
        one.gate.clear()
        asking = asyncio.ensure_future(one.pool.open(ANN, SERVER))
        await settle()
        one.pool.retire_soon(ANN)
        one.gate.set()
        await asking
        await settle()
        assert [child.is_ended for child in one.children] == [True]
        assert one.pool.find(ANN) is None


@pytest.mark.parametrize(("code", "level"), [(0, "info"), (1, "warning"), (None, "warning")])
async def test_a_process_that_ends_by_itself_is_told_of(code: int | None, level: str) -> None:
    """An ordinary end is no warning."""
    async with site() as one:
        await one.pool.open(ANN, SERVER)
        one.children[0].exit_code = code
        with capture_logs() as logs:
            one.children[0].crash()
            await settle()
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("server ended by itself", level)
        ]
        assert one.pool.find(ANN) is None


async def test_what_nobody_has_used_for_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use begins the time anew."""
    monkeypatch.setattr(stdio_pool, "_SWEEP_SECONDS", 0.001)
    async with site() as one:
        sweeping = asyncio.ensure_future(one.pool.sweep())
        await one.pool.open(ANN, SERVER)
        await one.pool.open(BOB, SERVER)
        one.clock.seconds += 50
        one.pool.find(BOB)
        one.clock.seconds += 11
        with capture_logs() as logs:
            await asyncio.sleep(0.05)
        assert [child.is_ended for child in one.children] == [True, False]
        assert events(logs) == ["idle server ended"]
        sweeping.cancel()


async def test_a_server_that_changed_has_a_new_process_for_the_next_call() -> None:
    """And one that is gone has none."""
    async with site() as one:
        first = await one.pool.open(ANN, SERVER)
        with capture_logs() as logs:
            second = await one.pool.open(ANN, structs.replace(SERVER, idle_seconds=5))
            one.pool.take_over([])
        assert second is not first
        assert events(logs) == ["server ended, since its settings have changed"] * 2
        assert one.pool.find(ANN) is None


async def test_a_child_that_fails_while_it_is_heard_is_an_error_in_the_log() -> None:
    """Its end is carried out all the same."""
    async with site() as one:
        conversation = await one.pool.open(ANN, SERVER)
        with capture_logs() as logs:
            conversation.child.say(3)  # type: ignore[attr-defined]
            await settle()
        assert "server not heard to its end" in events(logs)
        assert one.children[0].is_ended
