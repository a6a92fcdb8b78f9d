"""Stand-ins for the ports of `pdp.ports`: for the rules of the story, never as proof of an edge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pdp.answer import BatchAnswer
from pdp.errors import JournalError, StoreError
from pdp.limits.algorithms import Units
from pdp.limits.budgets import Budget, Claim, Grant, Taken, returned_state, take, taken_state


class FakeEngine:
    """Answers as `answer` does, and keeps every question it was asked."""

    def __init__(self, answer: Callable[[Sequence[dict[str, Any]]], BatchAnswer]) -> None:
        self._answer = answer
        self.asked: list[list[dict[str, Any]]] = []

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        questions = [json.loads(one) for one in inputs]
        self.asked.append(questions)
        return self._answer(questions)

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        return [await self.ask([single]) for single in inputs]


class DictStore:
    """The pure step over a dict; `broken` makes every use of it fail."""

    def __init__(self) -> None:
        self.state_by_key: dict[str, Units] = {}
        self.asked: list[tuple[Budget, ...]] = []
        self.broken = False

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        self._check()
        self.asked.extend(claim.budgets for claim in claims)
        return [self._take(claim, now) for claim in claims]

    async def give_back(self, grants: Sequence[Grant]) -> None:
        self._check()
        for grant in grants:
            for spent in grant.spent:
                self.state_by_key[spent.key] = returned_state(
                    self.state_by_key[spent.key], grant.at, spent
                )

    async def release(self, grants: Sequence[Grant]) -> None:
        await self.give_back(grants)

    async def state(self, keys: Sequence[str] | None = None) -> dict[str, Units]:
        self._check()
        wanted = self.state_by_key if keys is None else keys
        return {key: self.state_by_key[key] for key in wanted if key in self.state_by_key}

    async def forget(self, keys: Sequence[str]) -> None:
        self._check()
        for key in keys:
            self.state_by_key.pop(key, None)

    def units(self) -> int:
        """How many units are taken in all."""
        return sum(len(stamps) for stamps in self.state_by_key.values())

    def _take(self, claim: Claim, now: int) -> Taken:
        taken = take(claim, self.state_by_key, now)
        if taken.grant is not None:
            self.state_by_key.update(taken_state(claim, self.state_by_key, taken.grant))
        return taken

    def _check(self) -> None:
        if self.broken:
            raise StoreError("broken")


class ListJournal:
    """Keeps the lines; `broken` makes it refuse them."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.broken = False

    def write(self, lines: Sequence[bytes]) -> None:
        if self.broken:
            raise JournalError("broken")
        self.lines.extend(lines)

    def records(self) -> list[dict[str, Any]]:
        """The lines, read back."""
        return [json.loads(line) for line in self.lines]


class SimulatedClock:
    """Two clocks that stand still until told otherwise; nanoseconds since the epoch."""

    def __init__(self, now: int = 1_790_000_000_000_000_000) -> None:
        self.wall = self.steady = now

    def pass_by(self, seconds: float) -> None:
        """Let time go by, also while the machine sleeps."""
        self.wall += int(seconds * 1e9)
        self.steady += int(seconds * 1e9)

    def set_wall(self, seconds: float) -> None:
        """Set the machine's clock, by so much."""
        self.wall += int(seconds * 1e9)

    def wall_ns(self) -> int:
        return self.wall

    def steady_ns(self) -> int:
        return self.steady
