"""The script and the pure step are one: whatever comes, a real Redis answers as `pdp.limits.budgets` says."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdp.answer import Limit
from pdp.errors import ConfigError, StoreError
from pdp.limits.algorithms import SECOND, Units
from pdp.limits.budgets import Budget, Claim, Grant, returned_state, step
from pdp.limits.counters import key_of, subject_of
from pdp.limits.redis import RedisStore
from tests import redis_server
from tests.calls import call, claims

START = 1_790_000_000 * SECOND
_numbers = itertools.count()


def budget(key: str, most: int = 3, window: int = 10, **more: Any) -> Budget:
    return Budget(key, Limit(key, "session", most, window, **more))


@pytest.fixture(scope="module", params=redis_server.KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[redis_server.Server]:
    with redis_server.running(request.param, tmp_path_factory.mktemp("r")) as one:
        yield one


@pytest.fixture
async def store(server: redis_server.Server) -> AsyncIterator[RedisStore]:
    """A store that shares the server with nobody."""
    one = RedisStore(server.url, 1000, f"t{next(_numbers)}:")
    yield one
    await one.close()


class Model:
    """The pure step over a dict, with its memory of grants."""

    def __init__(self) -> None:
        self.state: dict[str, Units] = {}
        self.granted: dict[str, Grant] = {}

    def take(self, wanted: list[Claim], now: int) -> list[Any]:
        known = {claim.request_id: self.granted[claim.request_id] for claim in wanted
                 if claim.request_id in self.granted}  # fmt: skip
        results, changed = step(wanted, self.state, now, known)
        self.state.update(changed)
        self.granted.update({one.grant.request_id: one.grant for one in results if one.grant})
        return results

    def give_back(self, grant: Grant) -> None:
        if self.granted.pop(grant.request_id, None):
            self.release(grant)

    def release(self, grant: Grant) -> None:
        for spent in grant.spent:
            units = self.state.get(spent.key, ())
            self.state[spent.key] = returned_state(units, grant.at, spent)


KNOWN = (
    budget("a", 1, 1),
    budget("b", 3, 2),
    budget("c", 5, 3, cost=2),
    budget("d", 2, 60, shadow=True),
    budget("e", 2, 5, cost=3),
    budget("f", 5, 3, algorithm="gcra"),
    budget("g", 7, 60, algorithm="gcra", burst=2, cost=2),
    budget("h", 1000, 1, algorithm="gcra", burst=3, shadow=True),
    budget("i", 3, 7, algorithm="gcra", burst=1, cost=2),
    budget("j", 2, 30, algorithm="concurrency"),
)
BUDGETS = st.sets(st.sampled_from(range(len(KNOWN))), min_size=1, max_size=4).map(
    lambda places: tuple(KNOWN[place] for place in sorted(places))
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 3 * SECOND)
        | st.sampled_from([0, 1, 999, 1000, SECOND, 60 * SECOND, -SECOND, -90 * SECOND]),
        st.lists(st.tuples(st.integers(0, 12), BUDGETS), min_size=1, max_size=4),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(STEPS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_script_and_the_pure_step_always_agree(
    server: redis_server.Server, steps: list[Any]
) -> None:
    """Takes, repeats, refunds, and clocks that go back, on every algorithm, in batches."""
    store, model = RedisStore(server.url, 1000, f"t{next(_numbers)}:"), Model()
    now = START
    for wait, wanted, refund in steps:
        now += wait
        # One id twice in a batch is for the idempotency to see, which lets only the first come here.
        batch = [Claim(f"r{number}", budgets) for number, budgets in dict(wanted).items()]
        left, right = model.take(batch, now), await store.take_at(batch, now)
        assert left == right
        if refund == 1 and left[0].grant is not None and left[0].grant.leases is not None:
            model.release(left[0].grant.leases)
            await store.release([left[0].grant.leases])
        if refund == 0 and left[0].grant is not None:
            grant = left[0].grant
            for _ in range(2):
                model.give_back(grant)
                await store.give_back([grant])
    await store.close()


async def test_the_clock_is_the_server_s(store: RedisStore) -> None:
    """Whatever ours says."""
    (taken,) = await store.take(claims([[budget("a")]]), now=5)
    assert taken is not None
    assert taken.grant is not None
    assert abs(taken.grant.at / SECOND - time.time()) < 60


async def test_two_services_share_one_budget(server: redis_server.Server) -> None:
    """A hundred claims at once, through two stores: exactly the maximum passes."""
    prefix = f"t{next(_numbers)}:"
    stores = [RedisStore(server.url, 1000, prefix) for _ in range(2)]
    wanted = [claims([[budget("a", 20, 3600), budget("b", 30, 3600)]]) for _ in range(100)]
    found = await asyncio.gather(
        *(stores[number % 2].take(one, 0) for number, one in enumerate(wanted))
    )
    assert sum(one[0] is not None and one[0].grant is not None for one in found) == 20
    for store in stores:
        await store.close()


async def test_nothing_is_left_for_ever(store: RedisStore, server: redis_server.Server) -> None:
    """Every key expires by itself."""
    await store.take(claims([[budget("a"), budget("b", algorithm="gcra")]] * 3), 0)
    client = store._client
    keys = [key async for key in client.scan_iter(f"{store._prefix}*")]
    assert len(keys) == 5
    assert all([await client.pttl(key) > 0 for key in keys])


async def test_a_server_that_hangs_is_waited_for_once_and_then_left_alone(
    server: redis_server.Server,
) -> None:
    """A deadline, no second try, and after five failures no wait at all for a second."""
    store = RedisStore(server.url, 50, "hang:")
    await store.take(claims([[budget("a")]]), 0)
    server.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(StoreError, match="did not answer"):
                await store.take(claims([[budget("a")]]), 0)
            assert time.monotonic() - began < 0.5
        began = time.monotonic()
        with pytest.raises(StoreError, match="left alone"):
            await store.take(claims([[budget("a")]]), 0)
        assert time.monotonic() - began < 0.01
    finally:
        server.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(1.1)
    assert (await store.take(claims([[budget("a")]]), 0))[0] is not None
    await store.close()


async def test_what_a_server_that_hung_took_for_nobody_is_given_back(
    server: redis_server.Server,
) -> None:
    """It runs the script when it goes on, though the call was refused long ago."""
    store = RedisStore(server.url, 400, f"t{next(_numbers)}:")
    for number in range(2):
        await store.take([Claim(f"r{number}", (budget("a"), budget("g", algorithm="gcra")))], 0)
    server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(StoreError):
        await store.take([Claim("lost", (budget("a"), budget("g", algorithm="gcra")))], 0)
    server.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(0.2)
    assert await remaining(store) == (0, 0)
    await asyncio.sleep(1.2)
    assert await remaining(store) == (1, 1)
    await store.close()


async def remaining(store: RedisStore) -> tuple[int, ...]:
    """What is left of two budgets, seen by a claim that cannot pass."""
    never = Budget("never", Limit("never", "session", 1, 10, cost=2))
    wanted = (budget("a"), budget("g", algorithm="gcra"), never)
    (taken,) = await store.take([Claim("look", wanted)], 0)
    assert taken is not None
    return tuple(one.remaining for one in taken.results[:2])


async def test_a_server_that_forgot_the_script_gets_it_again(store: RedisStore) -> None:
    """As after its restart."""
    await store.take(claims([[budget("a")]]), 0)
    await store._client.script_flush()
    (taken,) = await store.take(claims([[budget("a")]]), 0)
    assert taken is not None
    assert taken.results[0].remaining == 1


async def test_a_server_that_is_not_there_is_an_error_of_the_store(tmp_path: Path) -> None:
    """Not an exception of a library."""
    store = RedisStore(f"unix://{tmp_path / 'nothing.sock'}", 50)
    assert not await store.reach()
    with pytest.raises(StoreError):
        await store.take(claims([[budget("a")]]), 0)
    await store.close()


@pytest.mark.parametrize("url", ["", "x", "http://x", "redis://x:port"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigError, match=r"limits\.url"):
        RedisStore(url, 50)


async def test_what_is_counted_can_be_seen_and_emptied(store: RedisStore) -> None:
    """Units in order, a rate as its one number; grants are not counters."""
    log, rate = (
        key_of(Limit("l", "global", 3, 10, algorithm=name), subject_of(call()))
        for name in ("sliding_log", "gcra")
    )
    wanted = (
        Budget(log, Limit("l", "global", 3, 10, cost=2)),
        Budget(rate, Limit("l", "global", 10, 10, algorithm="gcra")),
    )
    await store.take_at(claims([wanted]), START)
    assert await store.state() == {log: (START, START), rate: (START + SECOND,)}
    assert await store.state([rate]) == {rate: (START + SECOND,)}
    await store.forget([log])
    assert await store.state() == {rate: (START + SECOND,)}
