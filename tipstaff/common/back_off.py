"""Exponential back-off: pauses before restarts, each twice the one before, up to a longest. Pure.

What has run steadily begins with the first pause again, since it has not failed over and over.
"""

from __future__ import annotations


class BackOff:
    """The pauses between restarts of one process or connection; all times are in seconds."""

    def __init__(self, first: float, longest: float, steady_after: float = 0.0) -> None:
        """A run that is longer than `steady_after` begins again with the first pause."""
        self._first = first
        self._longest = longest
        self._steady_after = steady_after
        self._next = first

    def after(self, ran: float) -> float:
        """How long to wait before the next start, after a run of `ran` seconds; 0 for a start that failed."""
        if ran > self._steady_after:
            self._next = self._first
        pause = self._next
        self._next = min(2 * pause, self._longest)
        return pause

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._next = self._first
