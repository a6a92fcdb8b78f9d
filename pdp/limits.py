"""The sliding log over several keys at once: all budgets are taken, or none. Pure; `now` comes in.

Theory: the state of a key is the ascending tuple of the instants (microseconds) at which its units
were taken. A unit taken at t counts until t + window, so no window of that length, wherever it
begins, ever holds more than `max` units. A refused call writes nothing, to any key.

A key is written as length-prefixed parts, so that no name or id a caller chooses can be read as
another's. The maximum is not part of the key: a stricter limit counts what was already taken.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from pdp.api.model import Call, LimitResult
from pdp.policy import Limit

SECOND = 1_000_000
ALL_SESSIONS = " (all sessions)"

Stamps = tuple[int, ...]


class Budget(Struct, frozen=True):
    """One limit applied to one subject."""

    key: str
    limit: Limit


class Claim(Struct, frozen=True):
    """What a request wants to take: all of it, or nothing."""

    request_id: str
    budgets: tuple[Budget, ...]


class Grant(Struct, frozen=True):
    """What a request took: `cost` units at instant `at` from each key."""

    request_id: str
    at: int
    costs: tuple[tuple[str, int], ...]


class Taken(Struct, frozen=True):
    """What the limits said of a call; `grant` is what it took, `None` when refused."""

    results: tuple[LimitResult, ...]
    grant: Grant | None

    @property
    def retry_after_ms(self) -> int:
        """The longest wait among the limits that failed; -1 when one can never pass."""
        waits = [result.retry_after_ms for result in self.results if not result.passed]
        return -1 if -1 in waits else max(waits, default=0)


def budgets(limits: Iterable[Limit], call: Call, principal_factor: int) -> tuple[Budget, ...]:
    """The budgets that `call` must take, at most one per key: of two, the stricter.

    A caller can mint sessions, so a limit per session has a companion over all sessions of the
    principal, `principal_factor` times as large.
    """
    found: dict[str, Limit] = {}
    for limit in limits:
        _keep_stricter(found, _key(limit, call), limit)
        if limit.scope == "session":
            companion = structs.replace(
                limit,
                name=limit.name + ALL_SESSIONS,
                scope="principal",
                max=limit.max * principal_factor,
            )
            _keep_stricter(found, _key(companion, call), companion)
    return tuple(Budget(key, limit) for key, limit in found.items())


def take(claim: Claim, state: Mapping[str, Stamps], now: int) -> Taken:
    """Judge all budgets at `now` (microseconds). Writes nothing: see `taken_state`."""
    results = _results(claim, state, now)
    if not all(result.passed for result in results):
        return Taken(results, None)
    left = tuple(structs.replace(one, remaining=one.remaining - one.cost) for one in results)
    return Taken(left, Grant(claim.request_id, now, costs(claim)))


def taken_before(claim: Claim, state: Mapping[str, Stamps], grant: Grant, now: int) -> Taken:
    """The answer to a repeat of a request that was granted: the same grant, and nothing more."""
    passed = (
        structs.replace(one, passed=True, retry_after_ms=0) for one in _results(claim, state, now)
    )
    return Taken(tuple(passed), grant)


def costs(claim: Claim) -> tuple[tuple[str, int], ...]:
    """What is taken from each key."""
    return tuple((one.key, one.limit.cost) for one in claim.budgets)


def taken_state(
    wanted: Sequence[Budget], state: Mapping[str, Stamps], grant: Grant
) -> dict[str, Stamps]:
    """The keys that `grant` changes, as they are after it."""
    return {
        one.key: live(state.get(one.key, ()), one.limit.window, grant.at)
        + (grant.at,) * one.limit.cost
        for one in wanted
    }


def returned_state(stamps: Stamps, at: int, cost: int) -> Stamps:
    """`stamps` without `cost` of the units taken at `at`; what has gone already stays gone."""
    end = bisect_right(stamps, at)
    start = end
    while start > 0 and end - start < cost and stamps[start - 1] == at:
        start -= 1
    return stamps[:start] + stamps[end:]


def live(stamps: Stamps, window: int, now: int) -> Stamps:
    """The units that still count at `now`."""
    return stamps[bisect_right(stamps, now - window * SECOND) :]


def clamp(stamps: Stamps, now: int) -> Stamps:
    """`stamps` with none in the future, so that a clock set back locks out for one window at most."""
    return tuple(min(stamp, now) for stamp in stamps)


def _results(claim: Claim, state: Mapping[str, Stamps], now: int) -> tuple[LimitResult, ...]:
    return tuple(_judge(budget, state.get(budget.key, ()), now) for budget in claim.budgets)


def _judge(budget: Budget, stamps: Stamps, now: int) -> LimitResult:
    """What one limit says; `remaining` is what is left before anything is taken."""
    limit = budget.limit
    held = live(stamps, limit.window, now)
    excess = len(held) + limit.cost - limit.max
    passed = excess <= 0
    return LimitResult(
        name=limit.name,
        scope=limit.scope,
        max=limit.max,
        window=limit.window,
        cost=limit.cost,
        remaining=max(0, limit.max - len(held)),
        passed=passed,
        retry_after_ms=0 if passed else _wait_ms(limit, held, excess, now),
    )


def _wait_ms(limit: Limit, held: Stamps, excess: int, now: int) -> int:
    """Milliseconds, rounded up, until enough units have left; -1 when the cost exceeds the limit."""
    if limit.cost > limit.max:
        return -1
    leaves_at = held[excess - 1] + limit.window * SECOND
    return -((now - leaves_at) // 1000)


def _keep_stricter(found: dict[str, Limit], key: str, limit: Limit) -> None:
    other = found.get(key)
    if other is not None:
        limit = structs.replace(
            limit, max=min(limit.max, other.max), cost=max(limit.cost, other.cost)
        )
    found[key] = limit


def _key(limit: Limit, call: Call) -> str:
    parts = (limit.name, limit.scope, str(limit.window), *_subject(limit.scope, call))
    return "".join(f"{len(part)}:{part}" for part in parts)


def _subject(scope: str, call: Call) -> tuple[str, ...]:
    match scope:
        case "session":
            return (call.principal.id, call.session.kind, call.session.id)
        case "principal":
            return (call.principal.id,)
        case "tool":
            return (call.server, call.target)
        case "server":
            return (call.server,)
        case _:
            return ()
