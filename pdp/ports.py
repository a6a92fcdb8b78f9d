"""The ports of `decide`: interfaces of the policy engine, the stores, the journal and the clock. Edges implement them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pdp.answer import BatchAnswer
from pdp.limits.algorithms import Units
from pdp.limits.budgets import Claim, Grant, Taken
from pdp.tools.catalogue import Pin
from pdp.tools.changed_tools import Sighting


class PolicyEngine(Protocol):
    """Queries the policy."""

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        """Send one query for all `inputs`. Never raises: a failure is an answer that denies."""
        ...

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        """Send a query for each of `inputs`, all at once, so that none waits for a slow one."""
        ...


class StateStore(Protocol):
    """Keeps the state of the limits."""

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """Take, claim by claim and in order, all budgets of a claim or none. Raises `StoreError`.

        `None` means that limits of this claim could not be judged, so that the call is refused.

        All of it is one atomic step. A store that outlives the process has made it durable before
        this returns, and then answers a repeated request with its first grant. After an exception,
        nothing stays taken, or a repeat under the same request ids gets the same grants.
        """
        ...

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """Return what was granted, as if it had never been taken. Raises `StoreError`."""
        ...

    async def release(self, grants: Sequence[Grant]) -> None:
        """Return the leases of calls that have ended. Raises `StoreError`.

        Each grant is `Grant.leases`. The caller releases it once; the store does not check that.
        """
        ...

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        """The state under `keys`, or under all keys, for display only. Raises `StoreError`."""
        ...

    async def forget(self, keys: Sequence[str]) -> None:
        """Empty these counters. Raises `StoreError`."""
        ...


class Journal(Protocol):
    """Keeps the records."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append whole lines, all or none. Raises `JournalError`."""
        ...


class Drift(Protocol):
    """Remembers which tools were listed with another definition than the accepted one."""

    def seen(self, server: str, tool: str, pin: Pin) -> str:
        """The digest that was seen instead of the pin's; "" when there was none. Used for every call."""
        ...

    def note(self, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
        """Keep `sightings` for good; returns those whose pins had none before. Never raises."""
        ...


class Clock(Protocol):
    """The wall clock and the steady clock."""

    def wall_ns(self) -> int:
        """The time, in nanoseconds since the epoch. The clock may be set, also back."""
        ...

    def steady_ns(self) -> int:
        """A count of nanoseconds that no setting of a clock moves; it starts near the wall clock's."""
        ...
