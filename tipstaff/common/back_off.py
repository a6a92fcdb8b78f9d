"""Pauses before something is started again: each twice the one before, up to a longest. Pure.

What has run steadily begins with the first pause again, since it has not failed over and over.
"""

from __future__ import annotations


class BackOff:
    """The pauses of one thing that is started again and again; all times are in seconds."""

    def __init__(self, first: float, longest: float, steady_after: float = 0.0) -> None:
        """What has run for longer than `steady_after` has run steadily."""
        self._first = first
        self._longest = longest
        self._steady_after = steady_after
        self._next = first

    def after(self, ran: float) -> float:
        """How long to wait, now that it has ended after it `ran` for so long; 0 when it never did."""
        if ran > self._steady_after:
            self._next = self._first
        pause = self._next
        self._next = min(2 * pause, self._longest)
        return pause

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._next = self._first
