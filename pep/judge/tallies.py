"""Counts of events that recur: the first of a kind in a minute are reported, the others counted. Pure.

A flood must not fill a disk, and must not go unseen either. So the reports of a minute are bounded for
each kind and in all, however many kinds there are, and events that were only counted are reported as
sums when the minute is over. The last part of a kind names the caller; where there are too many kinds,
sums leave the caller out.
"""

from __future__ import annotations

from collections import Counter

Kind = tuple[str, ...]

_PERIOD_SECONDS = 60.0


class Tallies:
    """The tallies of one minute, and then of the next."""

    def __init__(self, *, each: int, in_all: int, kinds: int, sums: int) -> None:
        """Report `each` of a kind and `in_all`; tell so many `kinds` apart, and so many `sums` by caller."""
        self._each = each
        self._in_all = in_all
        self._kinds = kinds
        self._sums = sums
        self._began = float("-inf")
        self._single: Counter[Kind] = Counter()
        self._single_in_all = 0
        self._counted: Counter[Kind] = Counter()

    def end(self, now: float) -> dict[Kind, int]:
        """The sums by kind to be reported now, once the minute is over; empty before."""
        if now - self._began < _PERIOD_SECONDS:
            return {}
        self._began = now
        self._single.clear()
        self._single_in_all = 0
        return self.sums()

    def sums(self) -> dict[Kind, int]:
        """The sums by kind of the events that were only counted; counting begins anew."""
        counted, self._counted = self._counted.most_common(), Counter()
        sums = Counter(dict(counted[: self._sums]))
        for kind, count in counted[self._sums :]:
            sums[of_anybody(kind)] += count
        return dict(sums)

    def add(self, kind: Kind) -> Kind | None:
        """Add an event of `kind`: `None` when it is to be reported, else the kind that it is counted as.

        Call `end` first.
        """
        if self._single[kind] < self._each and self._single_in_all < self._in_all:
            self._single[kind] += 1
            self._single_in_all += 1
            return None
        if kind not in self._counted and len(self._counted) >= self._kinds:
            kind = of_anybody(kind)
        self._counted[kind] += 1
        return kind


def of_anybody(kind: Kind) -> Kind:
    """The kind without its caller."""
    return (*kind[:-1], "")
