"""Who is served next, and who is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.errors import Overloaded
from pdp.grpc.fair_queue import Bounds, FairQueue

ROOMY = Bounds(calls=1000, calls_per_caller=1000, bytes=10**6, bytes_per_caller=10**6)
ITEMS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(0, 9)))


def queue(*items: tuple[str, int, int], bounds: Bounds = ROOMY) -> FairQueue[int]:
    """A queue in which these wait, each named by its place."""
    filled: FairQueue[int] = FairQueue(bounds)
    for number, (caller, calls, size) in enumerate(items):
        filled.put(caller, number, calls, size)
    return filled


def test_callers_take_turns_and_each_keeps_its_order() -> None:
    """One item each per round."""
    waiting = queue(*(("a", 1, 0),) * 3, ("b", 1, 0), ("c", 1, 0), ("b", 1, 0))
    assert waiting.take(100, 100) == [0, 3, 4, 1, 5, 2]
    assert not waiting


@given(ITEMS, st.integers(1, 6), st.integers(0, 12))
def test_everything_comes_out_once_and_no_more_at_a_time_than_fits(
    items: list[tuple[str, int, int]], max_calls: int, max_bytes: int
) -> None:
    """What is too large for any batch comes alone."""
    waiting, taken = queue(*items), []
    while waiting:
        batch = waiting.take(max_calls, max_bytes)
        fits = (
            sum(items[number][1] for number in batch) <= max_calls
            and sum(items[number][2] for number in batch) <= max_bytes
        )
        assert len(batch) == 1 or (batch and fits)
        taken += batch
    assert sorted(taken) == list(range(len(items)))
    for caller in "abc":
        own = [number for number in taken if items[number][0] == caller]
        assert own == sorted(own)


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(calls=100, calls_per_caller=3, bytes=100, bytes_per_caller=100),
        Bounds(calls=100, calls_per_caller=100, bytes=100, bytes_per_caller=15),
    ],
    ids=["calls", "bytes"],
)
def test_a_caller_with_too_much_waiting_is_refused_and_another_is_not(bounds: Bounds) -> None:
    """And has room again once something of its own was taken."""
    waiting = queue(("a", 1, 5), ("a", 2, 5), bounds=bounds)
    with pytest.raises(Overloaded):
        waiting.put("a", 9, 1, 6)
    waiting.put("b", 2, 3, 15)
    assert waiting.take(1, 100) == [0]
    waiting.put("a", 3, 1, 6)
    assert waiting.take(100, 100) == [2, 1, 3]


def test_what_waits_is_bounded_in_all_but_an_empty_queue_takes_anything() -> None:
    """A group larger than all bounds could else never be judged."""
    bounds = Bounds(calls=2, calls_per_caller=2, bytes=10, bytes_per_caller=10)
    waiting = queue(("a", 5, 50), bounds=bounds)
    with pytest.raises(Overloaded):
        waiting.put("b", 1, 1, 0)
    assert waiting.take(1, 1) == [0]
    waiting.put("b", 1, 2, 10)
