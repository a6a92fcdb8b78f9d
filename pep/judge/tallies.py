"""How often things recur: the first of a kind in a minute are told, the others are counted. Pure.

A flood must not fill a disk, and must not go unseen either. So what is told in a minute is bounded for
each kind and in all, however many kinds there are, and what was only counted is told as sums when the
minute is over. The last part of a kind says whose it is; where there are too many, sums are of anybody.
"""

from __future__ import annotations

from collections import Counter

Kind = tuple[str, ...]

_PERIOD_SECONDS = 60.0


class Tallies:
    """The tallies of one minute, and then of the next."""

    def __init__(self, *, each: int, in_all: int, kinds: int, sums: int) -> None:
        """Tell `each` of a kind and `in_all`, keep apart so many `kinds`, and name so many `sums`."""
        self._each = each
        self._in_all = in_all
        self._kinds = kinds
        self._sums = sums
        self._began = float("-inf")
        self._single: Counter[Kind] = Counter()
        self._single_in_all = 0
        self._counted: Counter[Kind] = Counter()

    def end(self, now: float) -> dict[Kind, int]:
        """What was only counted, by kind, once the minute is over: to be told now."""
        if now - self._began < _PERIOD_SECONDS:
            return {}
        self._began = now
        self._single.clear()
        self._single_in_all = 0
        return self.sums()

    def sums(self) -> dict[Kind, int]:
        """What was only counted, by kind; from here on it counts as told."""
        counted, self._counted = self._counted.most_common(), Counter()
        sums = Counter(dict(counted[: self._sums]))
        for kind, count in counted[self._sums :]:
            sums[of_anybody(kind)] += count
        return dict(sums)

    def add(self, kind: Kind) -> Kind | None:
        """One more of `kind`: `None` when it is to be told, else what it is counted as.

        `end` comes first.
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
    """The kind without whose it is."""
    return (*kind[:-1], "")
