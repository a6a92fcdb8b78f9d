"""Returning what was taken: each by itself, and nothing raised by a store that fails."""

from __future__ import annotations

from pdp.limits.budgets import Grant, Spent
from pdp.limits.returns import give_back, release
from tests.fakes import DictStore


async def test_a_store_that_fails_keeps_what_was_taken() -> None:
    """Which is told, and is the safe side."""
    store = DictStore()
    store.broken = True
    assert not await give_back([Grant("r", 1, "", (Spent("k", 1),))], store)
    assert not await give_back([], DictStore())


async def test_a_grant_without_leases_has_nothing_to_release() -> None:
    """So nothing is asked of the store."""
    assert not await release([Grant("r", 1, "", ())], DictStore())
