"""What limits do while their store is away."""

from __future__ import annotations

from typing import Any

import pytest

from pdp.answer import Limit
from pdp.errors import StoreError
from pdp.limits.budgets import Budget, Claim, Taken
from pdp.limits.fallback import FallbackStore
from tests.fakes import DictStore


def budget(key: str, on_store_error: str, most: int = 4, **more: Any) -> Budget:
    return Budget(
        key, Limit(key, "session", most, 60, **{"on_store_error": on_store_error, **more})
    )


@pytest.fixture
def behind() -> DictStore:
    return DictStore()


async def one(store: FallbackStore, *wanted: Budget, request_id: str = "r") -> Taken | None:
    return (await store.take([Claim(request_id, wanted)], 1))[0]


async def test_a_limit_that_denies_makes_the_claim_unanswerable(behind: DictStore) -> None:
    """Whatever the others would do."""
    behind.broken = True
    store = FallbackStore(behind, 1)
    for others in ((), (budget("l", "local"),), (budget("a", "allow"),)):
        assert await one(store, budget("d", "deny"), *others) is None


async def test_a_local_limit_counts_its_share(behind: DictStore) -> None:
    """Two services share four: each admits two by itself, and never none."""
    behind.broken = True
    store = FallbackStore(behind, 2)
    taken = [await one(store, budget("l", "local"), request_id=str(n)) for n in range(3)]
    assert [t is not None and t.grant is not None for t in taken] == [True, True, False]
    tiny = await one(FallbackStore(behind, 9), budget("t", "local"))
    assert tiny is not None
    assert tiny.grant is not None


async def test_a_limit_that_allows_is_not_asked(behind: DictStore) -> None:
    """It appears in no result, because nothing is known of it."""
    behind.broken = True
    taken = await one(FallbackStore(behind, 1), budget("a", "allow", 1))
    assert taken is not None
    assert taken.grant is not None
    assert taken.results == ()


async def test_a_shadow_limit_refuses_nothing_though_its_store_is_away(behind: DictStore) -> None:
    """Not even one that says `deny`."""
    behind.broken = True
    taken = await one(FallbackStore(behind, 1), budget("s", "deny", shadow=True))
    assert taken is not None
    assert taken.grant is not None


async def test_what_was_taken_here_is_given_back_here(behind: DictStore) -> None:
    """Though the store is back; it has never heard of it."""
    store = FallbackStore(behind, 1)
    behind.broken = True
    taken = await one(store, budget("l", "local", 1))
    assert taken is not None
    assert taken.grant is not None
    behind.broken = False
    await store.give_back([taken.grant])
    behind.broken = True
    again = await one(store, budget("l", "local", 1), request_id="r2")
    assert again is not None
    assert again.grant is not None


async def test_what_the_store_granted_goes_back_to_the_store(behind: DictStore) -> None:
    """And when the store is away then, the caller learns it."""
    store = FallbackStore(behind, 1)
    taken = await one(store, budget("d", "deny"))
    assert taken is not None
    assert taken.grant is not None
    behind.broken = True
    with pytest.raises(StoreError):
        await store.give_back([taken.grant])
    behind.broken = False
    await store.give_back([taken.grant])
    assert behind.units() == 0
