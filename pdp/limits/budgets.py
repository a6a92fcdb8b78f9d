"""Limits over several keys at once: all budgets are taken, or none. Pure; `now` is a parameter.

Theory: a refused call writes nothing, to any key, so that no denial eats another budget. A limit
in shadow is judged and counted like any other, but refuses nothing. The state of a key is defined in
`pdp.limits.algorithms`, the key itself in `pdp.limits.counters`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct, structs

from pdp.answer import LARGEST, Limit
from pdp.api.model import Call, LimitResult
from pdp.limits.algorithms import ALGORITHMS, Units, Verdict, burst, emission
from pdp.limits.counters import Subject, key_of, subject_of

CALLER_TOTAL = " (caller total)"
"""The suffix of a companion's name. A caller without a session has a companion too."""
_STRICTEST = ("deny", "local", "allow")
# Of so many callers and tools is kept what their calls must take; who writes longer names pays for it each time.
_MOST_KEPT = 2048
_LONGEST_KEPT = 512

State = Mapping[str, Units]


class Budget(Struct, frozen=True):
    """One limit applied to one subject."""

    key: str
    limit: Limit


class Claim(Struct, frozen=True):
    """The budgets that a request must take: all of them, or none."""

    request_id: str
    budgets: tuple[Budget, ...]


class Spent(Struct, frozen=True, array_like=True):
    """The units taken from one key; `emission` as in `pdp.limits.algorithms.emission`.

    A lease is given back when the call ends.
    """

    key: str
    cost: int
    emission: int = 0
    is_lease: bool = False


class Grant(Struct, frozen=True):
    """What a request took, and when; `claimed` is the fingerprint of its claim."""

    request_id: str
    at: int
    claimed: str
    spent: tuple[Spent, ...]

    @property
    def leases(self) -> Grant | None:
        """The part of the grant that is released when the call ends."""
        spent = tuple(spending for spending in self.spent if spending.is_lease)
        return structs.replace(self, spent=spent) if spent else None


class Taken(Struct, frozen=True):
    """The results of a call's limits; `grant` is what the call took, `None` when it was refused."""

    results: tuple[LimitResult, ...]
    grant: Grant | None

    @property
    def failed(self) -> tuple[LimitResult, ...]:
        """The limits that refuse the call."""
        return tuple(result for result in self.results if not result.passed and not result.shadow)

    @property
    def retry_after_ms(self) -> int:
        """The longest wait among the limits that refuse; -1 when one can never pass."""
        waits = [result.retry_after_ms for result in self.failed]
        return -1 if -1 in waits else max(waits, default=0)


def budgets(limits: Iterable[Limit], call: Call, principal_factor: int) -> tuple[Budget, ...]:
    """The budgets that `call` must take, at most one per key: of two, the stricter.

    A caller can mint sessions, so a limit per session has a companion: see `companion`.
    """
    subject = subject_of(call)
    is_short = len(subject.principal) + len(subject.session) + len(subject.target) < _LONGEST_KEPT
    work_out = _budgets if is_short else _budgets.__wrapped__
    return work_out(tuple(limits), subject, principal_factor)


@lru_cache(_MOST_KEPT)
def _budgets(
    limits: tuple[Limit, ...], subject: Subject, principal_factor: int
) -> tuple[Budget, ...]:
    """What `budgets` says, kept because a caller makes many calls."""
    limits_by_key: dict[str, Limit] = {}
    for limit in limits:
        _keep_stricter(limits_by_key, key_of(limit, subject), limit)
        if limit.scope == "session":
            beside = companion(limit, principal_factor)
            _keep_stricter(limits_by_key, key_of(beside, subject), beside)
    return tuple(Budget(key, limit) for key, limit in limits_by_key.items())


def companion(limit: Limit, principal_factor: int) -> Limit:
    """The limit over all sessions of the principal, beside one per session.

    It is `principal_factor` times as large, but never larger than its algorithm can count: the
    companion of the largest limit per session has the same size.
    """
    most = min(limit.max * principal_factor, LARGEST[limit.algorithm])
    return structs.replace(
        limit,
        name=limit.name + CALLER_TOTAL,
        scope="principal",
        max=most,
        burst=min(limit.burst * principal_factor, most),
    )


def step(
    claims: Sequence[Claim], state: State, now: int, granted: Mapping[str, Grant]
) -> tuple[list[Taken], dict[str, Units]]:
    """Apply the claims in order to `state`; returns what each took, and the changed keys.

    `granted` are the grants of earlier requests, by request id. Only the very same claim is a
    repeat of such a request.
    """
    changed: dict[str, Units] = {}
    view = dict(state)
    results = []
    # Once for a budget is enough: what it takes lies no further ahead than it may.
    latest: dict[str, Budget] = {}
    for claim in claims:
        for budget in claim.budgets:
            if latest.get(budget.key) is not budget:
                latest[budget.key] = budget
                _set_back(budget, view, changed, now)
        earlier = granted.get(claim.request_id)
        if earlier is not None and earlier.claimed == fingerprint(claim):
            results.append(_taken_before(claim, view, earlier, now))
            continue
        taken = take(claim, view, now)
        if taken.grant is not None:
            after = taken_state(claim, view, taken.grant)
            view.update(after)
            changed.update(after)
        results.append(taken)
    return results, changed


def take(claim: Claim, state: State, now: int) -> Taken:
    """Judge all budgets at `now` (microseconds). Writes nothing: see `taken_state`."""
    verdicts = [
        (budget, _judge(budget, state.get(budget.key, ()), now)) for budget in claim.budgets
    ]
    if not all(verdict.passed or budget.limit.shadow for budget, verdict in verdicts):
        return Taken(tuple(_result(*each) for each in verdicts), None)
    spent = tuple(spending(budget) for budget, verdict in verdicts if verdict.passed)
    results = tuple(
        _result(budget, verdict, budget.limit.cost if verdict.passed else 0)
        for budget, verdict in verdicts
    )
    return Taken(results, Grant(claim.request_id, now, fingerprint(claim), spent))


def spending(budget: Budget) -> Spent:
    """The units that a budget takes when its limit passes."""
    limit = budget.limit
    return Spent(budget.key, limit.cost, emission(limit), limit.algorithm == "concurrency")


def taken_state(claim: Claim, state: State, grant: Grant) -> dict[str, Units]:
    """The keys that `grant` changes, with their new state."""
    keys = {spent.key for spent in grant.spent}
    return {
        budget.key: ALGORITHMS[budget.limit.algorithm].take(
            budget.limit, state.get(budget.key, ()), grant.at
        )
        for budget in claim.budgets
        if budget.key in keys
    }


def returned_state(units: Units, at: int, spent: Spent) -> Units:
    """`units` without those spent at the instant `at`."""
    algorithm = ALGORITHMS["gcra" if spent.emission else "sliding_log"]
    return algorithm.give_back(units, at, spent.cost, spent.emission)


def fingerprint(claim: Claim) -> str:
    """A fingerprint of the claim, by which a repeat is told from another claim under the same request id."""
    is_short = all(len(budget.key) < _LONGEST_KEPT for budget in claim.budgets)
    work_out = _fingerprint if is_short else _fingerprint.__wrapped__
    return work_out(claim.budgets)


@lru_cache(_MOST_KEPT)
def _fingerprint(budgets: tuple[Budget, ...]) -> str:
    digest = hashlib.sha256()
    for budget in budgets:
        units = f"{budget.limit.cost}:{emission(budget.limit)}:{budget.limit.shadow};"
        digest.update(f"{len(budget.key)}:{budget.key}{units}".encode())
    return digest.hexdigest()[:32]


def ends(claims: Iterable[Claim], changed: State) -> dict[str, int]:
    """When each changed key expires, in microseconds."""
    limits = {budget.key: budget.limit for claim in claims for budget in claim.budgets}
    return {
        key: ALGORITHMS[limits[key].algorithm].ends(limits[key], changed[key]) for key in changed
    }


def _set_back(budget: Budget, view: dict[str, Units], changed: dict[str, Units], now: int) -> None:
    """Move units that lie in the future back to `now`, for good; else every later refusal would meet them again."""
    units = view.get(budget.key)
    if units:
        pulled = ALGORITHMS[budget.limit.algorithm].pull_back(budget.limit, units, now)
        if pulled != units:
            view[budget.key] = changed[budget.key] = pulled


def _taken_before(claim: Claim, state: State, grant: Grant, now: int) -> Taken:
    """The results of a repeated claim, by its first grant; a shadow limit that took nothing then takes nothing now."""
    keys = {spending.key for spending in grant.spent}
    results = (
        structs.replace(result, passed=True, retry_after_ms=0)
        if budget.key in keys
        else structs.replace(result, passed=False)
        for budget, result in (
            (budget, _result(budget, _judge(budget, state.get(budget.key, ()), now)))
            for budget in claim.budgets
        )
    )
    return Taken(tuple(results), grant)


def _judge(budget: Budget, units: Units, now: int) -> Verdict:
    return ALGORITHMS[budget.limit.algorithm].judge(budget.limit, units, now)


def _result(budget: Budget, verdict: Verdict, taken: int = 0) -> LimitResult:
    """The result of one limit of which `taken` units were taken."""
    remaining = verdict.remaining - taken
    return limit_result(budget.limit, verdict.passed, remaining, verdict.retry_after_ms)


def limit_result(limit: Limit, passed: bool, remaining: int, retry_after_ms: int) -> LimitResult:  # noqa: FBT001 - all three are positional data of a store
    """The result of a limit as the decision reports it."""
    return LimitResult(
        limit.name,
        limit.scope,
        limit.max,
        limit.window,
        limit.cost,
        remaining,
        passed,
        retry_after_ms,
        limit.shadow,
        limit.algorithm,
    )


def _keep_stricter(limits_by_key: dict[str, Limit], key: str, limit: Limit) -> None:
    other = limits_by_key.get(key)
    if other is not None:
        limit = structs.replace(
            limit,
            max=min(limit.max, other.max),
            cost=max(limit.cost, other.cost),
            burst=min(burst(limit), burst(other)) if limit.algorithm == "gcra" else 0,
            on_store_error=min(limit.on_store_error, other.on_store_error, key=_STRICTEST.index),
        )
    limits_by_key[key] = limit
