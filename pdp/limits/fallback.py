"""Limits while their store does not answer, each by `on_store_error` of its rule.

deny   the call is refused, with a code of its own (the default)
local  the limit is counted here, in memory, at its share of the maximum: one service of `replicas`
allow  the limit is skipped

A shadow limit without an answer leaves no result. `pdp.decide` does not see any of this: it sees a
store that answers for some claims and not for others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import structlog
from msgspec import structs

from pdp.errors import StoreError
from pdp.limits.algorithms import Units
from pdp.limits.budgets import Budget, Claim, Grant, Taken
from pdp.limits.store import MemoryStore
from pdp.ports import StateStore

_MAX_REMEMBERED = 10_000

log = structlog.get_logger("pdp.fallback")


class FallbackStore:
    """Uses the store; when it fails, judges each limit by its `on_store_error`."""

    def __init__(self, store: StateStore, replicas: int) -> None:
        """Wrap `store`, which `replicas` decision services share."""
        self._store = store
        self._replicas = replicas
        self._local = MemoryStore()
        self._granted_here: OrderedDict[str, None] = OrderedDict()
        self._is_failing = False

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """See `StateStore.take`; `None` for a claim with a limit that denies without the store."""
        try:
            results = await self._store.take(claims, now)
        except StoreError as error:
            self._note(str(error))
            return [await self._alone(claim, now) for claim in claims]
        self._note("")
        if all(taken is not None for taken in results):
            return results
        return [
            await self._alone(claim, now) if taken is None else taken
            for claim, taken in zip(claims, results, strict=True)
        ]

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.give_back`; each grant goes back to where it came from."""
        here, there = self._split(grants)
        await self._local.give_back(here)
        if there:
            await self._store.give_back(there)

    async def release(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.release`; each lease goes back to where it came from."""
        here, there = self._split(grants)
        await self._local.release(here)
        if there:
            await self._store.release(there)

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        """See `StateStore.state`: of the store, not of what is counted here while it is away."""
        return await self._store.state(keys)

    async def forget(self, keys: Sequence[str]) -> None:
        """See `StateStore.forget`."""
        await self._local.forget(keys)
        await self._store.forget(keys)

    def _split(self, grants: Sequence[Grant]) -> tuple[list[Grant], list[Grant]]:
        """Split `grants` into those made here, which are then forgotten, and those of the store."""
        here = [grant for grant in grants if grant.request_id in self._granted_here]
        for grant in here:
            del self._granted_here[grant.request_id]
        return here, [grant for grant in grants if grant not in here]

    async def _alone(self, claim: Claim, now: int) -> Taken | None:
        enforced = [budget for budget in claim.budgets if not budget.limit.shadow]
        if any(budget.limit.on_store_error == "deny" for budget in enforced):
            return None
        local = [
            self._share(budget) for budget in enforced if budget.limit.on_store_error == "local"
        ]
        try:
            (taken,) = await self._local.take([Claim(claim.request_id, tuple(local))], now)
        except StoreError:  # too many keys: what other claims have taken stands
            return None
        if taken is not None and taken.grant is not None:
            self._granted_here[claim.request_id] = None
            if len(self._granted_here) > _MAX_REMEMBERED:
                self._granted_here.popitem(last=False)
        return taken

    def _share(self, budget: Budget) -> Budget:
        limit = budget.limit
        share = structs.replace(
            limit, max=self._part(limit.max), burst=limit.burst and self._part(limit.burst)
        )
        return Budget(budget.key, share)

    def _part(self, most: int) -> int:
        return max(1, most // self._replicas)

    def _note(self, error: str) -> None:
        """Log once that the store fails, and once that it is back."""
        if error and not self._is_failing:
            log.error("the store of the limits fails; limits do as their rules say", error=error)
        if not error and self._is_failing:
            log.info("the store of the limits is back")
        self._is_failing = bool(error)
