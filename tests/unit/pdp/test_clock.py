"""The clocks, over a machine whose own are set and which sleeps."""

from __future__ import annotations

import time

from pdp.clock import SystemClock

BEGUN = 1_790_000_000_000_000_000
HOUR = 3600 * 10**9


class Machine:
    """A wall clock that can be set, and a counter since the boot."""

    def __init__(self) -> None:
        self.wall = BEGUN
        self.counter = 5_000

    def pass_by(self, nanoseconds: int) -> None:
        self.wall += nanoseconds
        self.counter += nanoseconds


def clock(machine: Machine) -> SystemClock:
    return SystemClock(lambda: machine.wall, lambda: machine.counter)


def test_both_clocks_begin_with_the_time_of_day() -> None:
    """So that counters mean the same after a restart."""
    machine = Machine()
    one = clock(machine)
    machine.pass_by(HOUR)
    assert one.wall_ns() == one.steady_ns() == BEGUN + HOUR


def test_a_step_of_the_wall_clock_moves_the_time_and_not_the_measure() -> None:
    """Forward and back."""
    machine = Machine()
    one = clock(machine)
    for step in (2 * HOUR, -3 * HOUR):
        machine.wall += step
        assert one.wall_ns() == machine.wall
        assert one.steady_ns() == BEGUN


def test_what_the_machine_slept_has_passed_by_both_clocks() -> None:
    """A laptop that wakes up is not hours behind."""
    machine = Machine()
    one = clock(machine)
    machine.pass_by(8 * HOUR)
    assert one.wall_ns() == one.steady_ns() == BEGUN + 8 * HOUR


def test_the_counter_of_the_machine_goes_on_while_it_sleeps() -> None:
    """On Linux that is the time since the boot, suspended or not."""
    counted = time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    offset = time.time_ns() - counted
    assert abs(SystemClock().steady_ns() - SystemClock()._counter() - offset) < 10**9
    assert abs(SystemClock()._counter() - counted) < 10**9
