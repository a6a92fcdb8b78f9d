"""The algorithms of limits: the state of a key, and one set of pure functions per algorithm.

The state of a key is a tuple of integers (microseconds), whatever the algorithm:

sliding_log  The instants at which its units were taken, ascending. A unit taken at t counts until
             t + window, so no window of that length, wherever it begins, holds more than `max`.
gcra         One integer, the theoretical arrival time of the generic cell rate algorithm (ITU-T
             I.371): the instant at which everything taken has been earned back, at one unit per
             window/max. `burst` units may be taken at once, so that a window holds at most
             burst + max, for a state that never grows.
concurrency  A log whose units are leases: they are given back when the call ends, and lapse after
             the window when its end is not reported. At most `max` calls are under way.

Times are integers throughout: as a float, microseconds since 1970 would lose the last unit of a burst.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct, structs

from pdp.answer import Limit

SECOND = 1_000_000
SOON_MS = 1000

Units = tuple[int, ...]


class Verdict(Struct, frozen=True):
    """The result of one limit: units left before anything is taken, and how long to wait."""

    passed: bool
    remaining: int
    retry_after_ms: int = 0


class Algorithm(Struct, frozen=True):
    """The functions of one algorithm; `now` and `at` are microseconds since the epoch."""

    judge: Callable[[Limit, Units, int], Verdict]
    """The verdict on the limit's cost at `now`."""
    take: Callable[[Limit, Units, int], Units]
    """The state after its cost was taken at `now`."""
    give_back: Callable[[Units, int, int, int], Units]
    """The state without `cost` units that were taken `at` an instant, at an `emission` each."""
    pull_back: Callable[[Limit, Units, int], Units]
    """The state after the clock was set back to `now`: it locks out for one window at most."""
    ends: Callable[[Limit, Units], int]
    """The instant from which the state has no effect."""


def emission(limit: Limit) -> int:
    """Microseconds in which a limit of the algorithm gcra earns one unit back; 0 for a log."""
    return -(-limit.window * SECOND // limit.max) if limit.algorithm == "gcra" else 0


def burst(limit: Limit) -> int:
    """Units that a limit of the algorithm gcra lets pass at once."""
    return limit.burst or limit.max


def live(stamps: Units, window: int, now: int) -> Units:
    """The units of a log that still count at `now`."""
    return stamps[bisect_right(stamps, now - window * SECOND) :]


def _judge_log(limit: Limit, stamps: Units, now: int) -> Verdict:
    held = live(stamps, limit.window, now)
    excess = len(held) + limit.cost - limit.max
    remaining = max(0, limit.max - len(held))
    if excess <= 0:
        return Verdict(passed=True, remaining=remaining)
    if limit.cost > limit.max:
        return Verdict(passed=False, remaining=remaining, retry_after_ms=-1)
    leaves_at = held[excess - 1] + limit.window * SECOND
    return Verdict(passed=False, remaining=remaining, retry_after_ms=_milliseconds(leaves_at - now))


def _judge_leases(limit: Limit, stamps: Units, now: int) -> Verdict:
    """Judge leases; the wait is a guess, since a lease may end at any moment: soon, or when the first expires."""
    verdict = _judge_log(limit, stamps, now)
    return structs.replace(verdict, retry_after_ms=min(verdict.retry_after_ms, SOON_MS))


def _take_log(limit: Limit, stamps: Units, now: int) -> Units:
    return live(stamps, limit.window, now) + (now,) * limit.cost


def _give_back_log(stamps: Units, at: int, cost: int, emission: int) -> Units:
    """Remove units from a log; units that have expired meanwhile need no refund."""
    del emission
    end = bisect_right(stamps, at)
    start = end
    while start > 0 and end - start < cost and stamps[start - 1] == at:
        start -= 1
    return stamps[:start] + stamps[end:]


def _pull_back_log(limit: Limit, stamps: Units, now: int) -> Units:
    del limit
    if not stamps or stamps[-1] <= now:
        return stamps
    return tuple(min(stamp, now) for stamp in stamps)


def _log_ends(limit: Limit, stamps: Units) -> int:
    return stamps[-1] + limit.window * SECOND


def _judge_rate(limit: Limit, units: Units, now: int) -> Verdict:
    earned, step, most = _arrival(units, now), emission(limit), burst(limit)
    remaining = max(0, (now + most * step - earned) // step)
    if limit.cost > most:
        return Verdict(passed=False, remaining=remaining, retry_after_ms=-1)
    wait = earned + (limit.cost - most) * step - now
    if wait <= 0:
        return Verdict(passed=True, remaining=remaining)
    return Verdict(passed=False, remaining=remaining, retry_after_ms=_milliseconds(wait))


def _take_rate(limit: Limit, units: Units, now: int) -> Units:
    return (_arrival(units, now) + limit.cost * emission(limit),)


def _give_back_rate(units: Units, at: int, cost: int, emission: int) -> Units:
    """Set back the arrival time. One in the past counts as a full budget, so that a refund can mint nothing."""
    del at
    return tuple(arrival - cost * emission for arrival in units)


def _pull_back_rate(limit: Limit, units: Units, now: int) -> Units:
    latest = now + burst(limit) * emission(limit)
    return tuple(min(arrival, latest) for arrival in units)


def _rate_ends(limit: Limit, units: Units) -> int:
    del limit
    return units[0]


def _arrival(units: Units, now: int) -> int:
    return max(units[0], now) if units else now


def _milliseconds(microseconds: int) -> int:
    return -(-microseconds // 1000)


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        "sliding_log": Algorithm(_judge_log, _take_log, _give_back_log, _pull_back_log, _log_ends),
        "concurrency": Algorithm(
            _judge_leases, _take_log, _give_back_log, _pull_back_log, _log_ends
        ),
        "gcra": Algorithm(_judge_rate, _take_rate, _give_back_rate, _pull_back_rate, _rate_ends),
    }
)
