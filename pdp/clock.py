"""The clock of the process: wall time at start plus what the monotonic clock has counted since.

A step of the wall clock while the process lives neither refills a limit nor locks one out.
"""

from __future__ import annotations

import time


class SteadyClock:
    """Wall time that never goes back and never jumps."""

    def __init__(self) -> None:
        """Read both clocks once."""
        self._offset = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._offset + time.monotonic_ns()
