"""Judges a call as a trial: what would be decided, without taking or recording anything.

A trial takes the steps of a real call, so that its answer is the same; only its ports keep nothing. The
store is read and not written, the record is made and not kept, a listed definition closes no tool. A
trial has no identifier, so that it cannot be mistaken for a decision.

Trials are answered one at a time, beside the batches of calls: they are for people, and no number of
them keeps calls waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, structs

from pdp.api.model import Call, Decision
from pdp.decide import Parts, judge
from pdp.errors import Overloaded
from pdp.limits.algorithms import Units
from pdp.limits.budgets import Claim, Grant, Taken, step
from pdp.limits.fallback import FallbackStore
from pdp.ports import Drift, StateStore
from pdp.tools.catalogue import Pin
from pdp.tools.changed_tools import Sighting, Sightings

MAX_WAITING = 64
AT_ONCE = 1


class Explained(Struct, frozen=True):
    """The result of a trial; `fault` is the policy's fault, for operators, its secrets masked."""

    decision: Decision
    fault: str = ""


class Explainer:
    """Judges trials."""

    def __init__(self, parts: Parts, replicas: int) -> None:
        """Judge as `parts` do; `replicas` decision services share the store."""
        self._parts = parts
        self._replicas = replicas
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def explain(self, call: Call) -> Explained:
        """Judge `call` as a trial, by the present state; raises `Overloaded`."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded("too many trials are waiting already")
        self._waiting += 1
        try:
            async with self._turns:
                return await self._explain(call)
        finally:
            self._waiting -= 1

    async def _explain(self, call: Call) -> Explained:
        page = _Page()
        parts = structs.replace(
            self._parts,
            store=FallbackStore(_ReadOnlyStore(self._parts.store), self._replicas),
            journal=page,
            drift=_Glimpses(self._parts.drift),
            approvals=None,
            new_id=str,
        )
        (judgement,) = await judge([call], parts)
        return Explained(judgement.decision, page.fault)


class _Page:
    """A journal for one trial, which keeps the fault only."""

    fault = ""

    def write(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.fault = msgspec.json.decode(line, type=_Faulty).fault


class _Faulty(Struct):
    fault: str = ""


class _ReadOnlyStore:
    """A store that computes what would be taken, and takes nothing."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        keys = list({budget.key: None for claim in claims for budget in claim.budgets})
        results, _ = step(claims, await self._store.state(keys), now, {})
        return list(results)

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """Do nothing: nothing was taken."""

    async def release(self, grants: Sequence[Grant]) -> None:
        """Do nothing: nothing is held."""

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        return await self._store.state(keys)

    async def forget(self, keys: Sequence[str]) -> None:
        """Do nothing: a trial empties no counter."""


class _Glimpses:
    """Sightings that hold for one trial."""

    def __init__(self, drift: Drift) -> None:
        self._drift = drift
        self._own = Sightings()

    def seen(self, server: str, tool: str, pin: Pin) -> str:
        return self._own.seen(server, tool, pin) or self._drift.seen(server, tool, pin)

    def note(self, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
        return self._own.note(sightings)
