"""A circuit breaker: how long a store that failed is not called. Pure; the clock is a parameter."""

from __future__ import annotations

from collections.abc import Callable

_FAILURES = 5
PAUSE_SECONDS = 1.0


class Breaker:
    """Open for a moment after several failures in a row; then one call may try again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._failures = 0
        self._closed_at = 0.0

    def is_open(self) -> bool:
        """Whether the store must not be called now."""
        return self._failures >= _FAILURES and self._clock() < self._closed_at

    def failed(self) -> None:
        """Count a failure: the store did not answer."""
        self._failures += 1
        self._closed_at = self._clock() + PAUSE_SECONDS

    def worked(self) -> None:
        """Reset the count: the store answered."""
        self._failures = 0
