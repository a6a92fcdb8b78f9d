"""The limits, against a model that keeps every unit ever taken in a plain list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from pdp.answer import LARGEST, Limit
from pdp.api.model import Call, Principal, Session
from pdp.limits import budgets as module
from pdp.limits.algorithms import ALGORITHMS, SECOND, Units, live
from pdp.limits.budgets import (
    CALLER_TOTAL,
    Budget,
    Claim,
    Grant,
    Spent,
    Taken,
    budgets,
    companion,
    fingerprint,
    returned_state,
    step,
    take,
    taken_state,
)
from tests.calls import call

START = 1_790_000_000 * SECOND


def limit(name: str = "l", most: int = 3, window: int = 10, **more: Any) -> Limit:
    return Limit(**{"name": name, "scope": "session", "max": most, "window": window, **more})


def budget(key: str = "k", most: int = 3, window: int = 10, cost: int = 1) -> Budget:
    return Budget(key, limit(key, most, window, cost=cost))


class Ledger:
    """The model: all units that were taken and not given back, with their instants."""

    def __init__(self) -> None:
        self.units: dict[str, list[int]] = {}

    def fits(self, one: Budget, now: int) -> bool:
        window = one.limit.window * SECOND
        counted = [at for at in self.units.get(one.key, []) if at > now - window]
        return len(counted) + one.limit.cost <= one.limit.max

    def most_in_any_window(self, one: Budget) -> int:
        units, window = self.units.get(one.key, []), one.limit.window * SECOND
        return max((sum(at <= other < at + window for other in units) for at in units), default=0)


class World:
    """The code under test and the model, driven side by side."""

    def __init__(self) -> None:
        self.now = START
        self.state: dict[str, Units] = {}
        self.ledger = Ledger()
        self.grants: list[Grant] = []

    def take(self, wanted: tuple[Budget, ...]) -> Taken:
        before = dict(self.state)
        taken = take(Claim("r", wanted), self.state, self.now)
        fits = [self.ledger.fits(one, self.now) for one in wanted]
        assert [result.passed for result in taken.results] == fits
        assert (taken.grant is not None) == all(fits)
        if taken.grant is not None:
            self.state.update(taken_state(Claim("r", wanted), self.state, taken.grant))
            self.grants.append(taken.grant)
            for one in taken.grant.spent:
                self.ledger.units.setdefault(one.key, []).extend([self.now] * one.cost)
        else:
            assert self.state == before
            self.check_wait(wanted, taken)
        return taken

    def refund(self, index: int) -> None:
        if self.grants:
            grant = self.grants.pop(index % len(self.grants))
            for one in grant.spent:
                self.state[one.key] = returned_state(self.state[one.key], grant.at, one)
                for _ in range(one.cost):
                    self.ledger.units[one.key].remove(grant.at)

    def check_wait(self, wanted: tuple[Budget, ...], taken: Taken) -> None:
        wait = taken.retry_after_ms
        if wait == -1:
            assert any(one.limit.cost > one.limit.max for one in wanted)
            return
        assert wait > 0
        assert take(Claim("r", wanted), self.state, self.now + wait * 1000).grant is not None
        assert take(Claim("r", wanted), self.state, self.now + (wait - 1) * 1000).grant is None

    def check(self, known: tuple[Budget, ...]) -> None:
        for one in known:
            stamps = self.state.get(one.key, ())
            assert list(stamps) == sorted(stamps)
            assert self.ledger.most_in_any_window(one) <= one.limit.max
            counted = live(stamps, one.limit.window, self.now)
            units = self.ledger.units.get(one.key, [])
            assert list(counted) == sorted(
                at for at in units if at > self.now - one.limit.window * SECOND
            )


KNOWN = (budget("a", 1, 1), budget("b", 3, 2), budget("c", 5, 3, cost=2), budget("d", 2, 60))
TAKES = st.sets(st.sampled_from(range(len(KNOWN))), min_size=1).map(
    lambda places: ("take", tuple(KNOWN[place] for place in sorted(places)))
)
WAITS = st.one_of(
    st.integers(0, 3 * SECOND),
    st.sampled_from([0, 1, 999, 1000, SECOND - 1, SECOND, SECOND + 1, 2 * SECOND, 60 * SECOND]),
).map(lambda wait: ("advance", wait))
REFUNDS = st.integers(0, 99).map(lambda index: ("refund", index))


@given(st.lists(TAKES | TAKES | WAITS | REFUNDS, max_size=60))
def test_no_sequence_of_calls_and_refunds_exceeds_a_limit(steps: list[tuple[str, Any]]) -> None:
    """Whatever comes in whatever order: what passes is what the model lets pass, never more."""
    world = World()
    for kind, value in steps:
        match kind:
            case "take":
                world.take(value)
            case "refund":
                world.refund(value)
            case _:
                world.now += value
        world.check(KNOWN)


def test_a_unit_counts_until_its_window_has_passed_and_no_longer() -> None:
    """The window is half open: the unit is free again exactly at its end."""
    world, one = World(), (budget(most=1),)
    assert world.take(one).grant
    world.now += 10 * SECOND - 1
    assert world.take(one).retry_after_ms == 1
    world.now += 1
    assert world.take(one).grant


def test_a_refused_call_takes_nothing_from_a_limit_that_had_room() -> None:
    """All or nothing; what is left is said as it stays."""
    world, tight, wide = World(), budget("tight", 1), budget("wide", 5)
    world.take((tight,))
    refused = world.take((wide, tight))
    assert [(one.passed, one.remaining) for one in refused.results] == [(True, 5), (False, 0)]
    assert world.state.keys() == {"tight"}


def test_what_is_left_after_a_call_is_said() -> None:
    """Also when a limit was lowered below what is already taken."""
    world = World()
    assert world.take((budget(most=5, cost=2),)).results[0].remaining == 3
    lowered = world.take((budget(most=1),)).results[0]
    assert (lowered.remaining, lowered.passed) == (0, False)


def test_a_result_says_which_limit_and_how_much() -> None:
    """Every member of the limit that the caller or the journal wants to know."""
    one = Budget("k", limit("files/read", 3, 10, scope="server", cost=2))
    (result,) = take(Claim("r", (one,)), {}, START).results
    assert structs.asdict(result) == {
        "name": "files/read",
        "scope": "server",
        "max": 3,
        "window": 10,
        "cost": 2,
        "remaining": 1,
        "passed": True,
        "retry_after_ms": 0,
        "shadow": False,
        "algorithm": "sliding_log",
    }


def test_a_cost_above_the_maximum_can_never_pass() -> None:
    """Said at once with -1, also beside a limit that only needs time."""
    world = World()
    world.take((budget("b", 1),))
    refused = world.take((budget("a", 2, cost=3), budget("b", 1)))
    assert refused.retry_after_ms == -1
    assert [one.retry_after_ms for one in refused.results] == [-1, 10_000]


def test_the_longest_wait_of_all_limits_is_said() -> None:
    """Whoever waits for the shorter one would be refused again."""
    world, short, long = World(), budget("s", 1, 1), budget("l", 1, 60)
    world.take((short, long))
    assert world.take((short, long)).retry_after_ms == 60_000


def test_a_call_that_passes_need_not_wait() -> None:
    """Nor does one that no limit counts."""
    assert World().take((budget(),)).retry_after_ms == 0
    assert take(Claim("r", ()), {}, START) == Taken(
        (), Grant("r", START, fingerprint(Claim("r", ())), ())
    )


def test_a_refund_gives_back_the_units_of_its_own_grant_only() -> None:
    """Units of other instants stay, those of the same instant are alike."""
    assert returned_state((1, 2, 2, 2, 3), 2, Spent("k", 2)) == (1, 2, 3)
    assert returned_state((1, 3), 2, Spent("k", 1)) == (1, 3)
    assert returned_state((2, 2), 2, Spent("k", 1)) == (2,)
    assert returned_state((), 2, Spent("k", 1)) == ()


@given(st.lists(st.integers(0, 9)).map(sorted).map(tuple), st.integers(0, 9), st.integers(1, 9))
def test_a_refund_never_gives_back_more_than_was_taken(stamps: Units, at: int, cost: int) -> None:
    """It removes at most `cost` units, all of instant `at`, and adds none."""
    left = returned_state(stamps, at, Spent("k", cost))
    assert len(stamps) - len(left) == min(cost, stamps.count(at))
    assert [one for one in left if one != at] == [one for one in stamps if one != at]


def test_a_refund_after_the_units_have_expired_changes_nothing() -> None:
    """What has gone by itself is not given back a second time."""
    world, one = World(), (budget(most=2),)
    world.take(one)
    grant = world.grants[0]
    world.now += 10 * SECOND
    world.take(one)
    world.take(one)
    assert returned_state(world.state["k"], grant.at, Spent("k", 1)) == world.state["k"]
    assert world.take(one).grant is None


@given(
    st.lists(st.integers(START, START + 10**9)).map(sorted).map(tuple),
    st.integers(START - 10**9, START + 10**9),
)
def test_a_clock_set_back_locks_out_for_one_window_at_most(stamps: Units, now: int) -> None:
    """No unit is lost, none lies in the future, and all are free one window later."""
    pulled = ALGORITHMS["sliding_log"].pull_back(limit(), stamps, now)
    assert len(pulled) == len(stamps)
    assert list(pulled) == sorted(pulled)
    assert all(stamp <= now for stamp in pulled)
    assert live(pulled, 10, now + 10 * SECOND) == ()
    taken = take(Claim("r", (budget(most=1, window=10),)), {"k": pulled}, now)
    assert taken.retry_after_ms <= 10_000


NAMES = st.text("a1:/#()| \x00é", min_size=1, max_size=6)
IDS = st.text("a1:/\x00", max_size=4)
CALLS = st.builds(
    lambda server, target, principal, kind, session: structs.replace(
        call(server=server, target=target),
        principal=Principal(principal, "jwt"),
        session=Session(session, kind),
    ),
    IDS,
    IDS,
    IDS,
    IDS,
    IDS,
)
LIMITS = st.builds(
    limit,
    NAMES,
    window=st.sampled_from([1, 11, 111]),
    scope=st.sampled_from(["session", "principal", "tool", "server", "global"]),
)


def subject(one: Limit, who: Call) -> tuple[str, ...]:
    """Whose budget it is, said once more and apart."""
    return {
        "session": (who.principal.id, who.session.kind, who.session.id),
        "principal": (who.principal.id,),
        "tool": (who.server, who.target),
        "server": (who.server,),
        "global": (),
    }[one.scope]


@given(LIMITS, CALLS, LIMITS, CALLS)
@example(limit("a", scope="tool"), call(target="b/c"), limit("a/b", scope="tool"), call(target="c"))
@example(
    limit(scope="principal"), call(principal="1:a"), limit(scope="principal"), call(principal="a")
)
def test_two_budgets_are_one_only_when_all_that_names_them_is_equal(
    one: Limit, caller: Call, other: Limit, other_caller: Call
) -> None:
    """No name or id a caller chooses, whatever its characters, lands on another's counter."""
    first = budgets((one,), caller, 10)[0]
    second = budgets((other,), other_caller, 10)[0]
    named = (one.name, one.scope, one.window, subject(one, caller))
    other_named = (other.name, other.scope, other.window, subject(other, other_caller))
    assert (first.key == second.key) == (named == other_named)


@given(st.text(min_size=1), st.text(min_size=1), st.text(), st.text())
def test_no_session_shares_the_counter_of_another(
    first: str, second: str, session: str, other: str
) -> None:
    """Principal and session together are the subject, however they are cut."""
    one = budgets((limit(),), call(principal=first, session=session), 10)
    two = budgets((limit(),), call(principal=second, session=other), 10)
    same = (first, session) == (second, other)
    assert (one[0].key == two[0].key) == same
    assert (one[1].key == two[1].key) == (first == second)
    assert one[0].key != one[1].key


def test_a_limit_per_session_has_a_companion_for_the_principal() -> None:
    """The factor is the only difference that counts; other scopes have none."""
    session, companion = budgets((limit("files/read", 3),), call(), 10)
    assert session.limit == limit("files/read", 3)
    assert companion.limit == limit(f"files/read{CALLER_TOTAL}", 30, scope="principal")
    for scope in ("principal", "tool", "server", "global"):
        assert len(budgets((limit(scope=scope),), call(), 10)) == 1


@pytest.mark.parametrize("algorithm", LARGEST)
@pytest.mark.parametrize("factor", [1, 10, 10**30])
def test_a_companion_is_never_larger_than_its_algorithm_can_count(
    algorithm: str, factor: int
) -> None:
    """Nor is it ever smaller than its limit, so that a single session has what it was promised."""
    largest = LARGEST[algorithm]
    for most in (1, min(largest // factor + 1, largest), largest):
        session = limit(most=most, algorithm=algorithm, burst=most if algorithm == "gcra" else 0)
        beside = companion(session, factor)
        assert beside.max == min(most * factor, largest) >= session.max
        assert session.burst <= beside.burst <= beside.max


def test_of_two_limits_on_one_counter_the_stricter_answer_to_a_dead_store_holds() -> None:
    """Whichever comes first: a limit that denies is not opened by another of its name."""
    allowing, denying, local = (
        limit("x", scope="global", on_store_error=answer) for answer in ("allow", "deny", "local")
    )
    for pair, answer in (((allowing, denying), "deny"), ((local, allowing), "local")):
        for limits in (pair, pair[::-1]):
            (merged,) = budgets(limits, call(), 10)
            assert merged.limit.on_store_error == answer


@given(st.integers(1, 3), st.integers(1, 4), st.lists(st.text(), max_size=40))
def test_minting_sessions_mints_no_budget(most: int, factor: int, sessions: list[str]) -> None:
    """A caller with a fresh session for every call is stopped by the companion."""
    world, admitted = World(), 0
    for at, session in enumerate(sessions):
        caller = call(session=f"{at}{session}")
        admitted += world.take(budgets((limit(most=most),), caller, factor)).grant is not None
    assert admitted == min(len(sessions), most * factor)


def test_of_two_limits_on_one_counter_the_stricter_holds() -> None:
    """The lower maximum and the higher cost, whichever comes first."""
    wide, dear = limit("x", 9, scope="global"), limit("x", 5, scope="global", cost=2)
    for pair in ((wide, dear), (dear, wide)):
        (merged,) = budgets(pair, call(), 10)
        assert (merged.limit.max, merged.limit.cost) == (5, 2)


def test_the_name_of_a_companion_is_true_of_a_caller_without_a_session() -> None:
    """It counts whatever the caller does, in sessions or in none, so it speaks of the caller."""
    _, companion = budgets((limit("files/read"),), call(session=""), 10)
    assert companion.limit.name == "files/read (caller total)"


def test_a_companion_may_meet_a_limit_of_its_own_name() -> None:
    """A limit that is named like a companion only makes it stricter."""
    named = limit(f"x{CALLER_TOTAL}", 2, scope="principal")
    for pair in ((limit("x"), named), (named, limit("x"))):
        found = {one.limit.name: one.limit.max for one in budgets(pair, call(), 10)}
        assert found == {"x": 3, f"x{CALLER_TOTAL}": 2}


def test_a_lowered_maximum_counts_what_was_taken_before() -> None:
    """The maximum is no part of the key: editing a rule gives no fresh budget."""
    (before,) = budgets((limit(most=5, scope="server"),), call(), 10)
    (after,) = budgets((limit(most=1, scope="server"),), call(), 10)
    assert before.key == after.key


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_a_full_limit_frees_one_unit_at_a_time(most: int) -> None:
    """The wait is until the oldest unit leaves, and for more units until more have left."""
    stamps = tuple(START + at * 1000 for at in range(most))
    now = START + SECOND
    (one,) = take(Claim("r", (budget(most=most),)), {"k": stamps}, now).results
    assert one.retry_after_ms == 9_000
    (all_of_them,) = take(Claim("r", (budget(most=most, cost=most),)), {"k": stamps}, now).results
    assert all_of_them.retry_after_ms == 9_000 + most - 1


def test_a_shadow_limit_counts_and_tells_but_refuses_nothing() -> None:
    """What it would have refused is taken from the others and not from it."""
    watched = Budget("w", limit("w", 1, shadow=True))
    enforced = Budget("e", limit("e", 2))
    state: dict[str, Units] = {}
    found = []
    for number in range(3):
        (taken,), changed = step([Claim(f"{number}", (watched, enforced))], state, START, {})
        state.update(changed)
        found.append(([one.passed for one in taken.results], taken.grant is not None))
    assert found == [([True, True], True), ([False, True], True), ([False, False], False)]
    assert {key: len(units) for key, units in state.items()} == {"w": 1, "e": 2}
    assert [one.name for one in taken.failed] == ["e"]


def test_a_shadow_limit_has_a_counter_of_its_own() -> None:
    """To try a stricter maximum in the shadow must not make the enforced one stricter."""
    both = (limit("x", 5, scope="server"), limit("x", 1, scope="server", shadow=True))
    assert sorted(one.limit.max for one in budgets(both, call(), 10)) == [1, 5]


def test_algorithms_do_not_share_a_counter() -> None:
    """Their states mean different things."""
    both = (limit("x", scope="server"), limit("x", scope="server", algorithm="gcra"))
    assert len({one.key for one in budgets(both, call(), 10)}) == 2


def test_a_clock_set_back_is_followed_even_by_a_refused_call() -> None:
    """Else every refusal would find the future again, and lock out until it comes."""
    full = Budget("k", limit(most=1))
    future = {"k": (START + 3600 * SECOND,)}
    (refused,), changed = step([Claim("r", (full,))], future, START, {})
    assert refused.grant is None
    assert changed == {"k": (START,)}
    (later,), _ = step([Claim("s", (full,))], changed, START + 10 * SECOND, {})
    assert later.grant is not None


@pytest.mark.parametrize(("length", "is_kept"), [(20, True), (8000, False)])
def test_what_a_caller_with_long_names_must_take_is_not_kept(length: int, is_kept: bool) -> None:
    """Thousands of names as long as they may be would fill the memory; what is taken is the same."""
    kept = (module._budgets, module._fingerprint)
    for each in kept:
        each.cache_clear()
    for number in range(3):
        caller = call(target=str(number) + "t" * length)
        claim = Claim("r", budgets((limit(scope="tool"),), caller, 10))
        taken = take(claim, {}, START)
        assert taken.grant is not None
        assert [spent.key for spent in taken.grant.spent] == [each.key for each in claim.budgets]
        assert taken.grant.claimed == fingerprint(claim)
    assert [each.cache_info().currsize for each in kept] == [3 * is_kept] * 2
