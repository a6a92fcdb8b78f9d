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
    """Asks the policy."""

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        """One query for all `inputs`. Never raises: what goes wrong is in the answer."""
        ...

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        """A query for each of `inputs`, all at once, so that none waits for a slow one."""
        ...


class StateStore(Protocol):
    """Keeps what has been taken from the limits."""

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """Take, claim by claim and in order, all budgets of a claim or none. Raises `StoreError`.

        `None` means that limits of this claim could not be asked, so that the call is refused.

        All of it is one atomic step. A store that outlives the process has made it durable before
        this returns, and then answers a repeated request with its first grant. Whatever is raised,
        nothing stays taken, or it can be asked for again under the same request ids.
        """
        ...

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """Return what was granted, as if it had never been asked for. Raises `StoreError`."""
        ...

    async def release(self, grants: Sequence[Grant]) -> None:
        """Return the leases of calls that have ended. Raises `StoreError`.

        Each grant is `Grant.leases`, and is released once: the store does not look.
        """
        ...

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        """What is counted under `keys`, or all there is, to look at only. Raises `StoreError`."""
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
    """Remembers which tools are listed otherwise than they were accepted."""

    def seen(self, server: str, tool: str, pin: Pin) -> str:
        """The digest that was seen instead of the pin's; "" when there was none. Asked at every call."""
        ...

    def note(self, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
        """Keep them for good; returns those whose pins had none before. Never raises."""
        ...


class Clock(Protocol):
    """Tells the time, and measures it."""

    def wall_ns(self) -> int:
        """What time it is, in nanoseconds since the epoch. It may be set, also back."""
        ...

    def steady_ns(self) -> int:
        """Nanoseconds that no setting of a clock moves; about those since the epoch at the start."""
        ...
