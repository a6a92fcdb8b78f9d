"""Pauses grow while something fails over and over, and begin anew once it has run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tipstaff.common.back_off import BackOff


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    """What fails over and over is not started in a tight loop, nor given up."""
    pauses = BackOff(0.1, 5.0, steady_after=10.0)
    assert [round(pauses.after(0), 1) for _ in range(9)] == [
        *(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0)
    ]


def test_what_has_run_steadily_begins_with_the_first_pause() -> None:
    """But not what ended just at that time."""
    pauses = BackOff(1.0, 8.0, steady_after=10.0)
    assert [pauses.after(ran) for ran in (0, 10.0, 3, 10.1, 0)] == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_pauses_can_begin_anew() -> None:
    """For one who knows better than by the time that it runs well."""
    pauses = BackOff(1.0, 8.0)
    assert [pauses.after(0), pauses.after(0)] == [1.0, 2.0]
    pauses.reset()
    assert pauses.after(0) == 1.0


@given(st.lists(st.floats(0, 100), max_size=30))
def test_no_pause_is_shorter_than_the_first_or_longer_than_the_longest(runs: list[float]) -> None:
    """However long it ran each time."""
    pauses = BackOff(0.5, 5.0, steady_after=10.0)
    assert all(0.5 <= pauses.after(ran) <= 5.0 for ran in runs)
