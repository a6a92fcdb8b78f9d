"""The fold: deny overrides, and only an allow that every stage let pass is an allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pdp.answer import Fault, Limit, PolicyAnswer
from pdp.api.model import (
    Appearance,
    Decision,
    Effect,
    LimitResult,
    Obligation,
    Reason,
    ShadowFinding,
)
from pdp.api.reasons import REASONS
from pdp.fold import fold, refusal, refuse_with
from pdp.limits.budgets import CALLER_TOTAL, Grant, Spent, Taken
from pdp.rules.checks import CheckFailure

SHADOW = (ShadowFinding(Effect.DENY, Reason("trial", "would deny"), "site.trial"),)
ALLOW = PolicyAnswer(
    Effect.ALLOW,
    Reason("allowed", "fine"),
    "servers.files.tools.read",
    obligations=(Obligation("redact", b'{"a":1}'),),
    shadow=SHADOW,
)
LIMITED = structs.replace(
    ALLOW, limits=(Limit("files/read", "session", 3, 60, rule="servers.files.limits"),)
)
DENY = structs.replace(ALLOW, effect=Effect.DENY, reason=Reason("no_writes", "not here"))
HOLD = structs.replace(ALLOW, effect=Effect.HOLD, reason=Reason("why", "ask Ann"))
FAILURE = CheckFailure("arguments_invalid", "servers.files.categories.Read", "argument a: no")


def result(name: str = "files/read", *, passed: bool = True, wait: int = 0) -> LimitResult:
    return LimitResult(name, "session", 3, 60, 1, 2, passed, wait)


GRANTED = Taken((result(),), Grant("r", 1, "", (Spent("k", 1),)))
REFUSED = Taken((result(passed=False, wait=1500),), None)


def judged(
    answer: PolicyAnswer | Fault, failure: CheckFailure | None = None, taken: Taken | None = None
) -> Decision:
    return fold("d1", "rev", answer, failure, taken)


def test_an_allow_that_every_stage_let_pass_is_an_allow() -> None:
    """It carries the limits, the obligations and the shadow findings along."""
    assert judged(LIMITED, None, GRANTED) == Decision(
        decision_id="d1",
        effect=Effect.ALLOW,
        reason=Reason("allowed", "fine"),
        rule="servers.files.tools.read",
        revision="rev",
        limits=GRANTED.results,
        obligations=ALLOW.obligations,
        shadow=SHADOW,
    )


def test_an_allow_without_limits_needs_none() -> None:
    """Nothing was asked, because there was nothing to ask."""
    decision = judged(ALLOW)
    assert (decision.effect, decision.limits) == (Effect.ALLOW, ())


def test_limits_that_were_not_asked_refuse_the_call() -> None:
    """Absence of an answer is no room: the store failed, or someone forgot to ask."""
    decision = judged(LIMITED)
    assert decision == Decision(
        decision_id="d1",
        effect=Effect.DENY,
        reason=Reason("rate_limit_unavailable", REASONS["rate_limit_unavailable"]),
        rule=LIMITED.rule,
        revision="rev",
        shadow=SHADOW,
    )


def test_limits_in_shadow_refuse_nothing_though_nobody_asked_them() -> None:
    """One beside them that is enforced does."""
    watching = structs.replace(LIMITED.limits[0], shadow=True)
    assert judged(structs.replace(LIMITED, limits=(watching,))).effect is Effect.ALLOW
    both = structs.replace(LIMITED, limits=(watching, *LIMITED.limits))
    assert judged(both).reason.code == "rate_limit_unavailable"


def test_a_limit_in_shadow_that_has_no_room_is_a_finding() -> None:
    """Beside those of the rules, under the rule of the limit; the call passes and waits for nothing."""
    watching = structs.replace(LIMITED.limits[0], shadow=True)
    full = structs.replace(result(passed=False, wait=1500), shadow=True)
    taken = Taken((full,), Grant("r", 1, "", ()))
    decision = judged(structs.replace(LIMITED, limits=(watching,)), None, taken)
    assert (decision.effect, decision.retry_after_ms) == (Effect.ALLOW, 0)
    said = "rate limit reached: files/read allows 3 per 60 s per session"
    found = ShadowFinding(Effect.DENY, Reason("rate_limited", said), "servers.files.limits")
    assert decision.shadow == (*SHADOW, found)


def test_a_denial_gives_the_rules_own_reason() -> None:
    """And says whether the target is to be hidden, and how; obligations are for allows."""
    appearance = Appearance(Effect.DENY, Reason("no_permit", "m"), "mcp.main")
    hidden = structs.replace(DENY, hidden=True, appearance=appearance)
    decision = judged(hidden, FAILURE, GRANTED)
    assert decision == Decision(
        decision_id="d1",
        effect=Effect.DENY,
        reason=DENY.reason,
        rule=DENY.rule,
        revision="rev",
        hidden=True,
        shadow=SHADOW,
        appearance=appearance,
    )


def test_failed_arguments_name_the_rule_that_demands_them() -> None:
    """For an allow as for a hold: nobody is asked to approve what cannot pass."""
    for answer in (ALLOW, HOLD):
        decision = judged(answer, FAILURE)
        assert decision.effect is Effect.DENY
        assert decision.reason == Reason("arguments_invalid", "argument a: no")
        assert decision.rule == "servers.files.categories.Read"


def test_a_held_call_that_nobody_was_asked_about_is_a_hold() -> None:
    """With the code that says so, and the rule's own sentence; without an approval there is nothing to wait for."""
    decision = judged(HOLD)
    assert (decision.effect, decision.approval) == (Effect.HOLD, None)
    assert decision.reason == Reason("approval_required", "ask Ann")
    assert decision.rule == HOLD.rule


def test_a_fault_is_a_denial_with_its_own_code() -> None:
    """The detail is for operators: the caller gets the sentence of the table."""
    decision = judged(Fault("policy_error", "conflict at line 7"), None, GRANTED)
    assert decision.effect is Effect.DENY
    assert decision.reason == Reason("policy_error", REASONS["policy_error"])
    assert (decision.rule, decision.limits) == ("", ())


def test_a_limit_without_room_says_when_to_come_back() -> None:
    """With every limit's result, passed or not."""
    results = (result("files:all"), result(passed=False, wait=1500))
    decision = judged(LIMITED, None, Taken(results, None))
    assert decision.effect is Effect.DENY
    assert decision.reason == Reason(
        "rate_limited", "rate limit reached: files/read allows 3 per 60 s per session"
    )
    assert decision.limits == results
    assert decision.retry_after_ms == 1500
    assert decision.rule == "servers.files.limits"
    assert decision.shadow == SHADOW


def test_every_limit_without_room_is_named() -> None:
    """Whoever waits for one only would be refused by the next."""
    results = (result("a", passed=False, wait=1), result("b", passed=False, wait=-1))
    decision = judged(LIMITED, None, Taken(results, None))
    assert decision.reason.message == (
        "rate limit reached: a allows 3 per 60 s per session; b allows 3 per 60 s per session"
        ", and this call costs more than that"
    )
    assert decision.retry_after_ms == -1


def test_a_limit_is_reported_under_its_own_rule() -> None:
    """Not under that of another whose name begins alike; a companion under its limit's."""
    limits = (
        Limit("a", "session", 3, 60, rule="short"),
        Limit("a/b", "session", 3, 60, rule="long"),
        Limit("bare", "session", 3, 60),
    )
    answer = structs.replace(ALLOW, limits=limits)
    for name, rule in (
        ("a", "short"),
        ("a/b", "long"),
        (f"a/b{CALLER_TOTAL}", "long"),
        ("bare", ALLOW.rule),
        ("unheard of", ALLOW.rule),
    ):
        taken = Taken((result("passes"), result(name, passed=False, wait=1)), None)
        assert judged(answer, None, taken).rule == rule


def test_an_edge_that_did_not_work_turns_any_decision_into_a_denial() -> None:
    """Nothing of the allow is left but whose it was."""
    decision = refuse_with(judged(LIMITED, None, GRANTED), "journal_unavailable")
    assert decision == Decision(
        decision_id="d1",
        effect=Effect.DENY,
        reason=Reason("journal_unavailable", REASONS["journal_unavailable"]),
        rule=LIMITED.rule,
        revision="rev",
        shadow=SHADOW,
    )


CODES = st.sampled_from(["policy_error", "policy_invalid_result", "policy_undefined"])
LIMITS = st.sampled_from([(), LIMITED.limits])
ANSWERS = st.builds(Fault, CODES, st.text()) | st.builds(
    PolicyAnswer,
    st.sampled_from(Effect),
    st.builds(Reason, st.text(), st.text()),
    st.text(),
    hidden=st.booleans(),
    limits=LIMITS,
    shadow=st.sampled_from([(), SHADOW]),
)
FAILURES = st.none() | st.just(FAILURE)
TAKENS = st.sampled_from([None, GRANTED, REFUSED])


@given(ANSWERS, FAILURES, TAKENS)
def test_an_allow_needs_every_stage(
    answer: PolicyAnswer | Fault, failure: CheckFailure | None, taken: Taken | None
) -> None:
    """Exactly one road leads to an allow without a person's grant."""
    decision = judged(answer, failure, taken)
    clear = isinstance(answer, PolicyAnswer) and answer.effect is Effect.ALLOW and failure is None
    room = (taken is None and not getattr(answer, "limits", ())) or taken is GRANTED
    assert (decision.effect is Effect.ALLOW) is (clear and room)
    if decision.effect is not Effect.ALLOW:
        assert decision.obligations == ()


@given(ANSWERS, FAILURES, TAKENS)
def test_adding_a_refusal_never_makes_an_allow(
    answer: PolicyAnswer | Fault, failure: CheckFailure | None, taken: Taken | None
) -> None:
    """The fold is monotone: what is worse at one stage is never better in the end."""
    for worse in (
        judged(answer, FAILURE, taken),
        judged(answer, failure, REFUSED),
        judged(Fault("policy_error", ""), failure, taken),
        *(
            judged(structs.replace(answer, effect=effect), failure, taken)
            for effect in (Effect.DENY, Effect.HOLD)
            if isinstance(answer, PolicyAnswer)
        ),
        refuse_with(judged(answer, failure, taken), "journal_unavailable"),
    ):
        assert worse.effect is not Effect.ALLOW


@given(ANSWERS, FAILURES, TAKENS)
def test_no_finding_in_shadow_changes_what_is_decided(
    answer: PolicyAnswer | Fault, failure: CheckFailure | None, taken: Taken | None
) -> None:
    """Above all it makes no allow of what the library or the site denies."""
    if isinstance(answer, PolicyAnswer):
        permit = structs.replace(answer, rule="servers.files.shadow")
        plain = judged(structs.replace(permit, shadow=()), failure, taken)
        watched = judged(structs.replace(permit, shadow=SHADOW), failure, taken)
        assert watched == structs.replace(plain, shadow=SHADOW)


@given(ANSWERS, FAILURES)
def test_what_is_refused_before_the_limits_is_refused_for_that_reason(
    answer: PolicyAnswer | Fault, failure: CheckFailure | None
) -> None:
    """So that limits need not be asked, and a denied call takes nothing."""
    reason = refusal(answer, failure)
    decisions = [judged(answer, failure, taken) for taken in (None, GRANTED, REFUSED)]
    if reason is not None:
        assert decisions[0] == decisions[1] == decisions[2]
        assert decisions[0].reason == reason
        assert decisions[0].limits == ()
    else:
        assert isinstance(answer, PolicyAnswer)
        assert answer.effect is Effect.ALLOW


@pytest.mark.parametrize(
    ("kind", "whose"),
    [("principal", "per caller"), ("cooperative", "per session"), ("legacy", "per session")],
)
def test_the_text_of_a_limit_says_whose_it_is(kind: str, whose: str) -> None:
    """A caller that named no session is counted as itself, and is not told of one."""
    refused = fold("d", "r", LIMITED, None, REFUSED, kind)
    assert refused.reason.message.endswith(f"files/read allows 3 per 60 s {whose}")
