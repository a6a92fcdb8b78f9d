"""The steps of judging a held call: nobody goes on without a grant, and nothing is used in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from pdp.answer import Check, Fault, PolicyAnswer
from pdp.api.model import Call, Decision, Direction, Effect, Phase, Principal, Reason
from pdp.approvals import answers
from pdp.approvals.answers import Person
from pdp.approvals.approvals import Approvals
from pdp.approvals.life import HeldCall
from pdp.approvals.store import SqliteApprovals
from pdp.approvals.terms import Hold, Terms
from pdp.errors import ApprovalOverload, JournalError, StoreError
from pdp.holding import LONGEST_SHOWN
from tests.calls import call
from tests.unit.pdp.test_decide import ALLOW, DENY, LIMIT, Bench

BO = Person("bo", (), "cli")
HOLD = PolicyAnswer(
    Effect.HOLD,
    Reason("approval_required", "Ask."),
    "servers.files.tools.read",
    holds=(Hold("servers.files.tools.read", Reason("approval_required", "Ask."), Terms()),),
)
LIMITED_HOLD = structs.replace(HOLD, limits=(LIMIT,))


class Site:
    """The story with approvals; the policy answers `answer` to every call."""

    def __init__(self) -> None:
        self.bench = Bench(HOLD)
        self.now = 1_800_000_000_000_000
        self.store = SqliteApprovals(None, lambda: self.now)
        self.approvals = Approvals(self.store, self.bench.journal, dict)
        self.bench.parts.approvals = self.approvals

    async def judge(self, request: Call) -> Decision:
        (judgement,) = await self.bench.judge(request)
        return judgement.decision

    async def grant(self, decision: Decision) -> None:
        assert decision.approval is not None
        await self.approvals.answer(
            decision.approval.id, lambda held, now: answers.grant(held, BO, "", now)
        )

    def answers(self, answer: PolicyAnswer | Fault) -> None:
        self.bench.answer = lambda question: answer


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    yield made
    await made.store.close()


async def test_a_grant_lets_one_call_go_on(site: Site) -> None:
    """The decision that held it is the one that the approval names."""
    held = await site.judge(call("r1"))
    assert held.effect is Effect.HOLD
    await site.grant(held)
    allowed = await site.judge(call("r2"))
    assert allowed.effect is Effect.ALLOW
    assert allowed.approval is not None
    seen = (await site.approvals.get(allowed.approval.id)).held
    assert (seen.decision_id, seen.used_by) == (held.decision_id, "r2")
    assert (await site.judge(call("r3"))).effect is Effect.HOLD


async def test_limits_are_taken_when_the_call_goes_on(site: Site) -> None:
    """Not while it waits; and a call that a limit refuses leaves its grant as it was."""
    site.answers(LIMITED_HOLD)
    held = await site.judge(call("r1"))
    assert site.bench.store.units() == 0
    await site.grant(held)
    assert (await site.judge(call("r2"))).effect is Effect.ALLOW
    assert site.bench.store.units() == 2  # of the session and of its caller
    await site.grant(await site.judge(call("r3")))
    site.answers(structs.replace(LIMITED_HOLD, limits=(structs.replace(LIMIT, max=1),)))
    refused = await site.judge(call("r4"))
    assert (refused.reason.code, refused.effect) == ("rate_limited", Effect.DENY)
    site.answers(LIMITED_HOLD)
    assert (await site.judge(call("r5"))).effect is Effect.ALLOW


async def test_who_loses_the_race_gets_back_what_it_took(site: Site) -> None:
    """And begins an approval of its own."""
    site.answers(LIMITED_HOLD)
    held = await site.judge(call("r1"))
    await site.grant(held)
    first, second = (judged.decision for judged in await site.bench.judge(call("r2"), call("r3")))
    assert (first.effect, second.effect) == (Effect.ALLOW, Effect.HOLD)
    assert site.bench.store.units() == 2  # of the session and of its caller
    assert second.approval is not None
    assert held.approval is not None
    assert second.approval.id != held.approval.id


@pytest.mark.parametrize(
    ("answer", "code"),
    [(DENY, "no"), (ALLOW, "allowed"), (Fault("policy_error", "x"), "policy_error")],
)
async def test_what_the_policy_says_now_is_what_counts(
    site: Site, answer: PolicyAnswer | Fault, code: str
) -> None:
    """A deny wins over the grant, an allow needs none, and a fault is one."""
    held = await site.judge(call("r1"))
    await site.grant(held)
    site.answers(answer)
    assert held.approval is not None
    decision = await site.judge(structs.replace(call("r2"), approval_id=held.approval.id))
    assert decision.reason.code == code
    state = (await site.approvals.get(held.approval.id)).held.state
    assert state == ("granted" if isinstance(answer, Fault) else "void")


async def test_other_terms_hold_anew(site: Site) -> None:
    """Whoever said yes, said it to other terms."""
    held = await site.judge(call("r1"))
    await site.grant(held)
    stricter = structs.replace(HOLD.holds[0], terms=Terms(count=2))
    site.answers(structs.replace(HOLD, holds=(stricter,)))
    again = await site.judge(call("r2"))
    assert again.effect is Effect.HOLD
    assert again.approval != held.approval


@pytest.mark.parametrize(
    "request_",
    [
        structs.replace(call(), phase=Phase.LIST),
        structs.replace(call(), direction=Direction.TO_CLIENT),
    ],
)
async def test_what_cannot_be_held_asks_nobody(site: Site, request_: Call) -> None:
    """A look at a list, and a request of the server to its client."""
    decision = await site.judge(request_)
    assert decision.effect is not Effect.ALLOW
    assert decision.approval is None
    assert await site.approvals.pending() == 0


async def test_a_call_whose_arguments_are_wrong_asks_nobody(site: Site) -> None:
    """People see only what could go on."""
    check = Check("r", schema_ref="declared")
    site.answers(structs.replace(HOLD, checks=(check,)))
    decision = await site.judge(call())
    assert (decision.effect, decision.reason.code) == (Effect.DENY, "arguments_invalid")
    assert await site.approvals.pending() == 0


async def test_what_cannot_be_shown_whole_cannot_be_approved(site: Site) -> None:
    """Nobody is asked about the half of a call."""
    large = b'{"a": "%s"}' % (b"x" * LONGEST_SHOWN)
    decision = await site.judge(call(arguments=large))
    assert (decision.effect, decision.reason.code) == (Effect.DENY, "approval_too_large")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("away"), "approval_unavailable"),
        (ApprovalOverload("full"), "approval_overload"),
        (JournalError("full"), "journal_unavailable"),
    ],
)
@pytest.mark.parametrize("step", ["begin", "claim"])
async def test_a_step_that_fails_lets_nothing_go_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, step: str
) -> None:
    """With a code of its own, and what it took from limits given back."""
    site.answers(LIMITED_HOLD)
    await site.grant(await site.judge(call("r1")))

    async def failing(*given: Any) -> HeldCall:
        raise error

    monkeypatch.setattr(site.approvals, step, failing)
    if step == "claim" and isinstance(error, ApprovalOverload):
        return
    decision = await site.judge(call("r2"))
    assert (decision.effect, decision.reason.code) == (Effect.DENY, code)
    assert site.bench.store.units() == 0


async def test_who_waited_in_vain_does_not_ask_again_at_once(site: Site) -> None:
    """A person who did not answer is left alone; a new call asks anew."""
    held = await site.judge(call("r1"))
    site.now += 900_000_000
    assert held.approval is not None
    after = await site.judge(structs.replace(call("r2"), approval_id=held.approval.id))
    assert (after.effect, after.reason.code) == (Effect.DENY, "approval_expired")
    anew = await site.judge(call("r3"))
    assert anew.effect is Effect.HOLD
    assert anew.approval is not None
    assert anew.approval.id != held.approval.id


async def test_what_another_has_waited_for_is_no_way_in(site: Site) -> None:
    """The name of an approval allows nothing, and ends nothing of others."""
    held = await site.judge(call("r1"))
    await site.grant(held)
    assert held.approval is not None
    other = structs.replace(
        call("r2", target="other"),
        principal=Principal("anonymous:2", "anonymous"),
        approval_id=held.approval.id,
    )
    assert (await site.judge(other)).effect is Effect.HOLD
    assert (await site.approvals.get(held.approval.id)).held.state == "granted"


async def test_people_see_the_call_without_its_secrets(site: Site) -> None:
    """And the limits that it will take from."""
    site.answers(LIMITED_HOLD)
    decision = await site.judge(call(arguments=b'{"password": "hunter2hunter2", "path": "/x"}'))
    assert decision.approval is not None
    subject = (await site.approvals.get(decision.approval.id)).held.subject
    assert "/x" in subject.arguments
    assert "hunter2" not in subject.arguments
    assert [limit.name for limit in subject.limits] == [LIMIT.name]


@pytest.mark.parametrize("step", ["begin", "claim", "look", "contradict"])
async def test_an_error_that_nobody_foresaw_denies_its_call_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever step it comes from."""
    held = await site.judge(call("r1"))
    await site.grant(held)
    assert held.approval is not None

    async def failing(*given: Any) -> HeldCall:
        raise ZeroDivisionError

    monkeypatch.setattr(site.approvals, step, failing)
    other = site.bench.answer({})
    site.bench.answer = lambda question: ALLOW if question["target"] == "free" else other
    waited = structs.replace(call("r2", arguments=b"{}"), approval_id=held.approval.id)
    if step == "contradict":
        waited = structs.replace(waited, target="free2")
    judged = await site.bench.judge(waited, call("r3", target="free"))
    first, second = (judgement.decision for judgement in judged)
    assert (first.effect, first.reason.code) == (Effect.DENY, "internal_error")
    assert second.effect is Effect.ALLOW
    assert site.bench.errors
