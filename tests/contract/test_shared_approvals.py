"""Approvals that several services share: bursts of calls, long lists, and a connection that breaks in a use."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import answers, life
from pdp.approvals.approvals import Approvals
from pdp.approvals.life import Caller, Event, HeldCall
from pdp.approvals.port import Filter
from pdp.approvals.redis import RedisApprovals
from pdp.errors import ApprovalOverload, StoreError
from tests import redis_server
from tests.held import BO, held_call

_numbers = itertools.count()


class Silent:
    """A journal that nobody reads."""

    def write(self, lines: object) -> None:
        """Keep nothing."""


@pytest.fixture(scope="module", params=redis_server.KINDS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[redis_server.Server]:
    with redis_server.running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@contextlib.asynccontextmanager
async def stores(
    url: str, count: int, timeout_ms: int = 2000
) -> AsyncIterator[list[RedisApprovals]]:
    """Stores of services that share their approvals, with nobody else."""
    prefix = f"shared{next(_numbers)}:"
    made = [RedisApprovals(url, timeout_ms, prefix) for _ in range(count)]
    try:
        yield made
    finally:
        for store in made:
            await store.close()


def call_number(number: int, now: int, **more: Any) -> HeldCall:
    """A held call, of a caller of its own unless one is given."""
    more.setdefault("caller", Caller(f"token:c{number}", "token"))
    return held_call(number=number, now=now, **more)


async def test_a_burst_of_calls_is_held_and_not_refused(shared: redis_server.Server) -> None:
    """Of more than there are connections, at several services at once."""
    async with stores(shared.url, 3) as services:
        now = await services[0].now()
        begun = await asyncio.gather(
            *(services[number % 3].begin(call_number(number, now)) for number in range(120))
        )
        assert all(each.is_new for each in begun)
        assert await services[0].pending() == 120


async def test_a_burst_of_uses_is_let_through(shared: redis_server.Server) -> None:
    """A use needs one connection, not a second one that another use waits for, too."""
    async with stores(shared.url, 1) as (store,):
        now = await store.now()
        calls = [call_number(number, now, state=State.GRANTED) for number in range(40)]
        await asyncio.gather(*(store.begin(each) for each in calls))
        used = await asyncio.gather(
            *(store.change(each.id, lambda held, now: life.claim(held, "r", now)) for each in calls)
        )
        assert all(changed and changed[1].state is State.USED for changed in used)


async def test_a_flood_at_several_services_keeps_to_the_bounds(
    shared: redis_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of one caller, and that of all; nobody gets in between two looks at the count."""
    monkeypatch.setattr("pdp.approvals.port.MAX_PENDING_OF_CALLER", 3)
    monkeypatch.setattr("pdp.approvals.port.MAX_PENDING", 8)
    async with stores(shared.url, 3) as services:
        now = await services[0].now()
        results = await asyncio.gather(
            *(
                services[number % 3].begin(
                    call_number(number, now, caller=Caller(f"token:c{number % 4}", "token"))
                )
                for number in range(40)
            ),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(error, ApprovalOverload) for error in refused)
        assert len(refused) == 32
        for number in range(4):
            assert len(await services[0].find(Filter(principal=f"token:c{number}"), 99)) <= 3


async def test_a_long_list_is_read_piece_by_piece(
    shared: redis_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pending ones first, however old, then the newest."""
    monkeypatch.setattr("pdp.approvals.redis._PAGE", 3)
    async with stores(shared.url, 1) as (store,):
        now = await store.now()
        for number in range(10):
            await store.begin(call_number(number, now + number))
        for number in (3, 4, 5, 6, 7, 8, 9):
            await store.change(
                f"a-{number}", lambda held, now: life.happens(held, Event.WITHDRAWN, now)
            )
        shown = [held.id for held in await store.find(Filter(), 5)]
        assert shown == ["a-2", "a-1", "a-0", "a-9", "a-8"]
        assert [held.id for held in await store.find(Filter("withdrawn"), 2)] == ["a-9", "a-8"]
        assert [held.id for held in await store.find(Filter(principal="token:c4"), 9)] == ["a-4"]
        assert await store.find(Filter(server="none"), 9) == []


async def test_every_change_of_another_service_is_heard_of(
    shared: redis_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come between two looks."""
    monkeypatch.setattr("pdp.approvals.redis._PAGE", 7)
    async with stores(shared.url, 2) as (here, there):
        before = await here.now()
        calls = [call_number(number, before) for number in range(60)]
        await asyncio.gather(*(there.begin(each) for each in calls))
        heard = await here.changed_since(before - 1)
        assert sorted(each.id for each in heard) == sorted(each.id for each in calls)
        assert await here.changed_since(await here.now()) == []


@contextlib.asynccontextmanager
async def breaking(url: str, folder: Path, *, is_done: bool) -> AsyncIterator[str]:
    """The URL of a way to the server that breaks at EXEC: after the server has done it, or before it hears of it."""
    place = folder / f"cut{next(_numbers)}.sock"

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(url.removeprefix("unix://"))
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                is_last = b"EXEC" in data
                if is_last and not is_done:
                    break
                far_writer.write(data)
                answer = await far_reader.read(1 << 20)
                if is_last:
                    break
                writer.write(answer)
        for end in (writer, far_writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()

    server = await asyncio.start_unix_server(connected, place)
    try:
        yield f"unix://{place}"
    finally:
        server.close()


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_use_whose_connection_breaks_lets_nobody_go_twice(
    shared: redis_server.Server, tmp_path: Path, is_done: bool
) -> None:
    """Its service does not know how it ended; another one may use what is left, if anything is."""
    prefix = f"cut{next(_numbers)}:"
    store = RedisApprovals(shared.url, 2000, prefix)
    whole = Approvals(store, Silent(), dict)
    held = await whole.begin(structs.replace(held_call(now=await store.now()), key=prefix))
    await whole.answer(held.id, lambda held, now: answers.grant(held, BO, "", now))
    async with breaking(shared.url, tmp_path, is_done=is_done) as url:
        cut_store = RedisApprovals(url, 2000, prefix)
        with pytest.raises(StoreError):
            await Approvals(cut_store, Silent(), dict).claim(held.id, "r1")
        await cut_store.close()
    later = [await whole.claim(held.id, f"r{number}") for number in (2, 3)]
    used_by = [each.used_by for each in later if each is not None]
    assert used_by == ([] if is_done else ["r2"])
    assert (await whole.get(held.id)).held.uses == 1
    await store.close()
