"""The algorithms by themselves: what each lets pass, whatever the times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.answer import Limit
from pdp.limits.algorithms import ALGORITHMS, SECOND, Units, burst, emission

START = 1_790_000_000 * SECOND
GCRA = ALGORITHMS["gcra"]


def rate(most: int = 10, window: int = 60, **more: Any) -> Limit:
    return Limit("r", "session", most, window, algorithm="gcra", **more)


LIMITS = st.builds(
    lambda most, window, part, cost: rate(most, window, burst=max(1, most * part // 4), cost=cost),
    st.integers(1, 50),
    st.integers(1, 100),
    st.integers(1, 4),
    st.integers(1, 3),
)
WAITS = st.lists(st.integers(0, 20 * SECOND) | st.sampled_from([0, 0, 1, 999]), max_size=80)


@given(LIMITS, WAITS)
def test_a_rate_admits_its_burst_and_then_what_it_has_earned(
    limit: Limit, waits: list[int]
) -> None:
    """In any stretch of time, however the caller chooses the instants."""
    units: Units = ()
    now, admitted = START, []
    for wait in waits:
        now += wait
        if GCRA.judge(limit, units, now).passed:
            units = GCRA.take(limit, units, now)
            admitted.append(now)
    for index, first in enumerate(admitted):
        for count, last in enumerate(admitted[index:], 1):
            assert count * limit.cost <= burst(limit) + (last - first) // emission(limit)


@given(LIMITS, WAITS)
def test_a_rate_says_exactly_when_to_come_back(limit: Limit, waits: list[int]) -> None:
    """Then it passes, and a millisecond earlier it does not."""
    units: Units = ()
    now = START
    for wait in waits:
        now += wait
        verdict = GCRA.judge(limit, units, now)
        if verdict.passed:
            units = GCRA.take(limit, units, now)
        elif verdict.retry_after_ms == -1:
            assert limit.cost > burst(limit)
        else:
            assert verdict.retry_after_ms > 0
            come_back = now + verdict.retry_after_ms * 1000
            assert GCRA.judge(limit, units, come_back).passed
            assert not GCRA.judge(limit, units, come_back - 1000).passed


@given(LIMITS, st.integers(0, 100 * SECOND))
def test_what_remains_can_be_taken_and_no_more(limit: Limit, ago: int) -> None:
    """Unit by unit, at the same instant."""
    single = rate(limit.max, limit.window, burst=limit.burst)
    units = GCRA.take(limit, (), START - ago)
    remaining = GCRA.judge(single, units, START).remaining
    for _ in range(remaining):
        assert GCRA.judge(single, units, START).passed
        units = GCRA.take(single, units, START)
    assert not GCRA.judge(single, units, START).passed


@given(LIMITS, st.lists(st.integers(1, 5), max_size=5))
def test_refunds_mint_nothing(limit: Limit, costs: list[int]) -> None:
    """However often they come: a full budget is full."""
    units = GCRA.take(limit, (), START)
    for cost in costs:
        units = GCRA.give_back(units, START, cost, emission(limit))
    assert GCRA.judge(limit, units, START).remaining <= burst(limit)


def test_a_refund_gives_back_what_was_taken() -> None:
    """No more and no less."""
    limit = rate(10, 60, cost=3)
    units = GCRA.take(limit, GCRA.take(limit, (), START), START)
    assert GCRA.judge(limit, units, START).remaining == 4
    units = GCRA.give_back(units, START, 3, emission(limit))
    assert GCRA.judge(limit, units, START).remaining == 7


@given(LIMITS, st.integers(0, 10**6))
def test_a_clock_set_back_locks_out_for_one_drain_at_most(limit: Limit, seconds: int) -> None:
    """And gives no fresh budget."""
    units = GCRA.take(limit, (), START)
    now = START - seconds * SECOND
    pulled = GCRA.pull_back(limit, units, now)
    single = rate(limit.max, limit.window, burst=limit.burst)
    assert GCRA.judge(single, pulled, now + burst(limit) * emission(limit)).remaining == burst(
        limit
    )
    assert GCRA.judge(single, pulled, now).remaining <= burst(limit) - min(limit.cost, burst(limit))


def test_the_state_of_a_rate_never_grows() -> None:
    """One integer, however much is taken."""
    limit, units = rate(1_000_000, 1), ()
    for at in range(1000):
        units = GCRA.take(limit, units, START + at)
    assert len(units) == 1


def test_times_are_exact_to_the_microsecond() -> None:
    """The last unit of a full burst passes, which a float of this size would have lost."""
    limit = rate(1_000_000, 1)
    units = GCRA.take(rate(1_000_000, 1, cost=999_999), (), START)
    assert GCRA.judge(limit, units, START).passed
    assert not GCRA.judge(limit, GCRA.take(limit, units, START), START).passed


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_state_that_has_ended_is_as_good_as_none(name: str) -> None:
    """So that it can be forgotten."""
    limit = Limit("l", "session", 5, 10, algorithm=name, cost=2)  # type: ignore[arg-type]
    algorithm = ALGORITHMS[name]
    units = algorithm.take(limit, algorithm.take(limit, (), START), START + SECOND)
    end = algorithm.ends(limit, units)
    assert algorithm.judge(limit, units, end) == algorithm.judge(limit, (), end)
    assert algorithm.judge(limit, units, end - 1) != algorithm.judge(limit, (), end - 1)
