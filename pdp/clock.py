"""The two clocks of the process.

The wall clock gives the machine's current time, for rules and records; a step of it (NTP, a person, a
virtual machine that moved) is no error. The steady clock measures durations, for limits, so that no step
refills a budget or locks a caller out. It starts at the wall clock's time, so that counters can outlive
the process, and goes on while the machine is suspended: a window of an hour ends after an hour of sleep.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Linux leaves a suspend out of CLOCK_MONOTONIC and counts it in CLOCK_BOOTTIME; macOS counts it in both.
_COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _counted_ns() -> int:
    return time.clock_gettime_ns(_COUNTER)


class SystemClock:
    """The clocks of the machine."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, counter: Callable[[], int] = _counted_ns
    ) -> None:
        """Read both clocks once; `counter` never goes back."""
        self._wall = wall
        self._counter = counter
        self._offset = wall() - counter()

    def wall_ns(self) -> int:
        """See `Clock.wall_ns`."""
        return self._wall()

    def steady_ns(self) -> int:
        """See `Clock.steady_ns`."""
        return self._offset + self._counter()
