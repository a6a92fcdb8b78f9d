"""Tallies: a bound on what is told, and nothing that is lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pep.judge.tallies import Kind, Tallies, of_anybody

PEERS = st.integers(min_value=0, max_value=40)


def tallies() -> Tallies:
    return Tallies(each=3, in_all=10, kinds=8, sums=4)


def test_the_first_of_a_kind_are_told_and_the_others_are_sums() -> None:
    """When the minute is over; then it begins again."""
    tally, kind = tallies(), ("s", "refused", "ann")
    assert tally.end(0) == {}
    assert [tally.add(kind) for _ in range(5)] == [None] * 3 + [kind] * 2
    assert tally.end(59.9) == {}
    assert tally.end(60) == {kind: 2}
    assert tally.end(60) == {}
    assert tally.add(kind) is None


def test_one_who_floods_does_not_silence_another() -> None:
    """Each kind has tellings of its own."""
    tally = tallies()
    for _ in range(1000):
        tally.add(("s", "refused", "mallory"))
    assert tally.add(("s", "refused", "ann")) is None


def test_a_crowd_is_counted_as_anybody() -> None:
    """However many there are, only the largest sums are told apart."""
    tally = tallies()
    tally.end(0)
    for number in range(10_000):
        tally.add(("s", "refused", str(number)))
    sums = tally.end(60)
    assert len(sums) <= 5
    assert sums["s", "refused", ""] > 9_900


@given(st.lists(st.tuples(st.booleans(), PEERS), max_size=200))
def test_what_is_told_and_what_is_summed_is_all_there_was(steps: list[tuple[bool, int]]) -> None:
    """Per minute not more than the bounds say; and what is held in memory is bounded too."""
    tally, now = tallies(), 0.0
    told: Counter[Kind] = Counter()
    summed: Counter[Kind] = Counter()
    in_minute = 0
    tally.end(now)
    for is_over, peer in steps:
        if is_over:
            now += 60
            summed.update(tally.end(now))
            in_minute = 0
        kind = ("s", "refused", str(peer))
        if tally.add(kind) is None:
            told[kind] += 1
            in_minute += 1
        assert in_minute <= 10
        assert len(tally._counted) <= 9
        assert len(tally._single) <= 41
    summed.update(tally.sums())
    assert told.total() + summed.total() == len(steps)
    kinds = {("s", "refused", str(peer)) for _, peer in steps}
    assert set(summed) <= kinds | {of_anybody(kind) for kind in kinds}
