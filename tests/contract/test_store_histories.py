"""Any history of takes, refunds, clock steps and restarts, on every store, against a naive ledger.

The ledger is a plain list of what was admitted and when, with none of the algorithms' cleverness: it
knows what must never be exceeded, and, where the promise is exact, what must not be refused.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pdp.answer import Limit
from pdp.limits.algorithms import SECOND
from pdp.limits.budgets import Budget, Claim, Grant, Taken
from pdp.limits.redis import RedisStore
from pdp.limits.store import MemoryStore, SqliteStore
from tests import redis_server

START = 1_790_000_000 * SECOND
_numbers = itertools.count()


def budget(key: str, most: int, window: int, **more: Any) -> Budget:
    return Budget(key, Limit(key, "session", most, window, **more))


EXACT = [
    budget("one", 1, 1),
    budget("few", 3, 2),
    budget("dear", 5, 3, cost=2),
    budget("long", 4, 50),
    budget("held", 2, 30, algorithm="concurrency"),
]
RATES = [
    budget("rate", 4, 2, algorithm="gcra"),
    budget("burst", 9, 3, algorithm="gcra", burst=2, cost=2),
]
WINDOWS = {one.key: one.limit.window * SECOND for one in EXACT + RATES}
# A hair before and at the end of a window: where an error of one would show.
EDGES = [1, *(seconds * SECOND - early for seconds in (1, 2, 3, 50) for early in (0, 1))]
NEVER = budget("never", 1, 10, cost=2)
CLAIMED = st.sets(st.sampled_from(range(len(EXACT + RATES))), min_size=1, max_size=4).map(
    lambda places: tuple((EXACT + RATES)[place] for place in sorted(places))
)


class Entry:
    """One admitted cost of one key."""

    def __init__(self, request_id: str, at: int, cost: int) -> None:
        self.request_id = request_id
        self.at = at
        self.cost = cost
        self.may_be_forgotten = False


class Ledger:
    """What was admitted and not given back; a stamp in the future counts from when it is seen."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {}

    def held(self, one: Budget, now: int) -> tuple[int, int]:
        """The least and the most cost that the window which ends now may hold."""
        entries = self.entries.setdefault(one.key, [])
        for entry in entries:
            entry.at = min(entry.at, now)
        window = one.limit.window * SECOND
        inside = [entry for entry in entries if entry.at > now - window]
        least = sum(entry.cost for entry in inside if not entry.may_be_forgotten)
        return least, sum(entry.cost for entry in inside)

    def set_back(self, now: int) -> None:
        """What had left its window before a clock went back, a store need not remember."""
        for key, entries in self.entries.items():
            for entry in entries:
                entry.may_be_forgotten |= entry.at <= now - WINDOWS[key]

    def admit(self, grant: Grant) -> None:
        """What has left its window by then is gone for good, wherever the clock goes."""
        for spent in grant.spent:
            oldest = grant.at - WINDOWS[spent.key]
            entries = [entry for entry in self.entries[spent.key] if entry.at > oldest]
            entries.append(Entry(grant.request_id, grant.at, spent.cost))
            self.entries[spent.key] = entries

    def give_back(self, grant: Grant) -> None:
        """What a clock has moved meanwhile stays taken."""
        for spent in grant.spent:
            at_that_instant = [entry for entry in self.entries[spent.key] if entry.at == grant.at]
            for entry in at_that_instant[-1:]:
                self.entries[spent.key].remove(entry)


class Histories(RuleBasedStateMachine):
    """The histories of one store; `make` opens it, as a new process would."""

    make: Callable[[Path, int, str], Any]
    folder: Path
    survives_restart = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.name = f"h{next(_numbers)}"
        self.now = START
        self.ledger = Ledger()
        self.grants: list[Grant] = []
        self.settled: list[Grant] = []
        self.opened: list[Any] = []
        self.open()

    def open(self) -> None:
        self.store = type(self).make(self.folder / f"{self.name}.db", self.now, f"{self.name}:")
        self.opened.append(self.store)

    def run(self, claim: Claim) -> Taken:
        take = getattr(self.store, "take_at", None) or self.store.take
        (taken,) = self.runner.run(take([claim], self.now))
        assert taken is not None
        return taken  # type: ignore[no-any-return]

    def look(self, wanted: tuple[Budget, ...]) -> list[int]:
        """What remains, by a claim that can never pass and so takes nothing."""
        taken = self.run(Claim(f"look-{next(_numbers)}", (*wanted, NEVER)))
        assert taken.grant is None
        return [one.remaining for one in taken.results[:-1]]

    @rule(wanted=CLAIMED)
    def take(self, wanted: tuple[Budget, ...]) -> None:
        """Never more than the maximum; and exactly the maximum, where that is promised."""
        held = {one.key: self.ledger.held(one, self.now) for one in wanted}
        taken = self.run(Claim(f"r{next(_numbers)}", wanted))
        for one, result in zip(wanted, taken.results, strict=True):
            if one in EXACT:
                least, most = held[one.key]
                left = one.limit.max - one.limit.cost
                assert least <= left if result.passed else most > left
        assert (taken.grant is not None) == all(one.passed for one in taken.results)
        if taken.grant is not None:
            self.ledger.admit(taken.grant)
            self.grants.append(taken.grant)
        for one in wanted:
            extra = one.limit.burst or one.limit.max if one in RATES else 0
            assert self.ledger.held(one, self.now)[0] <= one.limit.max + extra

    @rule(wanted=CLAIMED)
    def check(self, wanted: tuple[Budget, ...]) -> None:
        """To look, and to be refused, costs nothing; nobody has more than the maximum."""
        first = self.look(wanted)
        assert first == self.look(wanted)
        for one, left in zip(wanted, first, strict=True):
            assert left <= (one.limit.burst or one.limit.max)
            if one in EXACT:
                least, most = self.ledger.held(one, self.now)
                assert one.limit.max - most <= left <= one.limit.max - least

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        """What was given back can be taken again."""
        grant = self.grants.pop(data.draw(st.integers(0, len(self.grants) - 1)))
        self.runner.run(self.store.give_back([grant]))
        self.ledger.give_back(grant)
        self.settled.append(grant)

    @precondition(lambda self: any(grant.leases for grant in self.grants))
    @rule()
    def finish(self) -> None:
        """A call that ends frees its leases, and nothing else."""
        grant = next(grant for grant in self.grants if grant.leases)
        self.grants.remove(grant)
        leases = grant.leases
        assert leases is not None
        self.runner.run(self.store.release([leases]))
        self.ledger.give_back(leases)

    @rule(microseconds=st.integers(0, 4 * SECOND) | st.sampled_from(EDGES))
    def advance(self, microseconds: int) -> None:
        self.now += microseconds

    @rule(microseconds=st.sampled_from([1, SECOND, 45 * SECOND, 3600 * SECOND]))
    def step_back(self, microseconds: int) -> None:
        """A clock set back neither refills nor locks out for longer than one window."""
        self.ledger.set_back(self.now)
        self.now -= microseconds

    @rule(is_killed=st.booleans())
    def restart(self, is_killed: bool) -> None:
        """With or without a farewell: what was answered is on disk."""
        if not is_killed:
            self._end(self.opened.pop())
        self.open()
        if not self.survives_restart:
            self.ledger = Ledger()
            self.grants.clear()

    def teardown(self) -> None:
        for one in self.opened:
            self._end(one)
        self.runner.close()

    def _end(self, store: Any) -> None:
        close = getattr(store, "close", None)
        ending = close() if close else None
        if ending is not None:
            self.runner.run(ending)


SETTINGS = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def run(folder: Path, make: Callable[[Path, int, str], Any], *, survives: bool = True) -> None:
    parts = {"make": staticmethod(make), "folder": folder, "survives_restart": survives}
    run_state_machine_as_test(type("Machine", (Histories,), parts), settings=SETTINGS)


def test_the_histories_of_the_memory_store(tmp_path: Path) -> None:
    """It forgets everything when it restarts, and says so."""
    run(tmp_path, lambda path, now, prefix: MemoryStore(), survives=False)


def test_the_histories_of_the_sqlite_store(tmp_path: Path) -> None:
    """It forgets nothing."""
    run(tmp_path, lambda path, now, prefix: SqliteStore(path, now))


@pytest.fixture(params=redis_server.KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[redis_server.Server]:
    with redis_server.running(request.param, tmp_path) as one:
        yield one


def test_the_histories_of_the_redis_store(server: redis_server.Server, tmp_path: Path) -> None:
    """A service that restarts finds everything as it was."""
    run(tmp_path, lambda path, now, prefix: RedisStore(server.url, 1000, prefix))
