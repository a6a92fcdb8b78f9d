"""The life of a judged request: what an allow took is finished or refunded, once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.api.model import (
    Approval,
    ApprovalState,
    Call,
    Client,
    Decision,
    Effect,
    LimitResult,
    Obligation,
    Principal,
    Protocol,
    Session,
)
from pep.judge.enforce import Forward, Refuse
from pep.judge.hold import Hold, Listener
from pep.judge.holding import Plan
from pep.judge.turn import LIFE, Event, Report, State, Turn, settle_all
from pep.load.room import Holding
from pep.mcp.jsonrpc import Request
from pep.mcp.methods import LEGACY
from tests.exchange_rig import Service, decision

REQUEST = Request(b"", 7, "tools/call", {"name": "add"})
CALL = Call(
    request_id="r", server="s", method="tools/call", target="add", arguments=b"{}",
    principal=Principal("p", "user"), session=Session("p", "principal"), client=Client(),
    protocol=Protocol(LEGACY, ""), transport="http",
)  # fmt: skip
LIMIT = LimitResult(name="l", scope="session", max=5, window=60, cost=1, remaining=4, passed=True)


ALLOW, DENY = decision(), decision(Effect.DENY)
UNMET = decision(obligations=(Obligation("unheard of"),))


STEPS = {
    "allow": lambda turn: turn.enforce(ALLOW, REQUEST, era=LEGACY),
    "deny": lambda turn: turn.enforce(DENY, REQUEST, era=LEGACY),
    "unmet": lambda turn: turn.enforce(UNMET, REQUEST, era=LEGACY),
    "never sent": lambda turn: turn.never_sent(),
    "end": lambda turn: turn.end(),
    "lost": lambda turn: turn.lost(),
}


@pytest.mark.parametrize(
    ("script", "reports"),
    [
        ("allow", []),
        ("allow, end", ["finish"]),
        ("allow, end, end", ["finish"]),
        ("allow, never sent", ["refund"]),
        ("allow, never sent, end", ["refund"]),
        ("allow, lost", ["lost"]),
        ("allow, lost, end", ["lost"]),
        ("allow, end, lost", ["finish"]),
        ("lost", []),
        ("allow, end, never sent", ["finish"]),
        ("deny", []),
        ("deny, end", []),
        ("deny, never sent", []),
        ("unmet", ["refund"]),
        ("unmet, end, never sent", ["refund"]),
        ("end", []),
        ("never sent", []),
        ("end, allow", ["refund"]),
        ("never sent, allow, end", ["refund"]),
        ("end, unmet", ["refund"]),
        ("end, deny", []),
    ],
)
def test_the_decision_service_hears_once_what_became_of_an_allow(
    script: str, reports: list[str]
) -> None:
    """And nothing of what was refused, since that took nothing."""
    service = Service(ALLOW)
    turn = Turn(service, "result")
    for step in script.split(", "):
        STEPS[step](turn)
    assert service.reports == reports


@given(
    st.sampled_from(["allow", "deny", "unmet"]),
    st.lists(st.sampled_from(["never sent", "end"])),
    st.lists(st.sampled_from(["never sent", "end"])),
)
def test_whatever_happens_an_allow_that_has_ended_is_settled_once(
    answer: str, before: list[str], after: list[str]
) -> None:
    """Not never, which would leave a place taken; not twice, which would free somebody else's."""
    service = Service(ALLOW)
    turn = Turn(service, "result")
    for step in [*before, answer, *after]:
        STEPS[step](turn)
    is_over = bool(before or after) or answer == "unmet"
    assert len(service.reports) == (1 if answer != "deny" and is_over else 0)
    assert turn.is_under_way is (answer == "allow" and not is_over)


def test_the_table_knows_every_event_in_every_state_but_a_second_decision() -> None:
    """A turn is decided once; all else may come in any order."""
    decided = {Event.ALLOWED, Event.REFUSED, Event.UNMET}
    missing = set(itertools.product(State, Event)) - set(LIFE)
    assert missing == {(State.UNDER_WAY, event) for event in decided}
    for (_, event), (state, report) in LIFE.items():
        assert state is not State.UNDECIDED
        assert (event, report) != (Event.NEVER_SENT, Report.FINISH)
        assert (event, report) != (Event.ENDED, Report.REFUND)


def test_a_turn_is_decided_once() -> None:
    """A second decision would hide what the first has taken."""
    turn = Turn(Service(ALLOW), "result")
    turn.enforce(ALLOW, REQUEST, era=LEGACY)
    with pytest.raises(KeyError):
        turn.enforce(ALLOW, REQUEST, era=LEGACY)


async def test_a_request_is_under_way_from_its_allow_to_its_end() -> None:
    """Only then its client is told what is left of the limits."""
    service = Service(decision(limits=(LIMIT,)))
    turn = Turn(service, "result")
    assert (turn.is_under_way, turn.budget_lines) == (False, [])
    assert await turn.decide(CALL, REQUEST) == Forward()
    assert service.calls == [CALL]
    assert turn.is_under_way
    assert dict(turn.budget_lines)[b"ratelimit"] == b'"l";r=4'
    turn.end()
    assert (turn.is_under_way, turn.budget_lines) == (False, [])


async def test_what_is_refused_is_answered_in_the_style_of_the_server() -> None:
    """A result for the model, or an error."""
    statuses = []
    for denial in ("result", "error"):
        turn = Turn(Service(DENY), denial)  # type: ignore[arg-type]
        verdict = await turn.decide(CALL, REQUEST)
        assert isinstance(verdict, Refuse)
        assert not turn.is_under_way
        statuses.append(b'"isError":true' in verdict.body)
    assert statuses == [True, False]


@pytest.mark.parametrize(
    ("answers", "reports"),
    [
        ([ALLOW, ALLOW], ["finish", "finish"]),
        ([ALLOW, DENY], ["refund"]),
        ([DENY, ALLOW, ALLOW], ["refund", "refund"]),
        ([DENY, DENY], []),
        ([ALLOW, UNMET], ["refund", "refund"]),
        ([], []),
    ],
)
def test_the_questions_of_one_message_are_asked_together_or_not_at_all(
    answers: list[Decision], reports: list[str]
) -> None:
    """One refusal gives back what all the others took."""
    service = Service(ALLOW)
    turns = [Turn(service, "result") for _ in answers]
    verdicts = [
        turn.enforce(answer, REQUEST, era=LEGACY)
        for turn, answer in zip(turns, answers, strict=True)
    ]
    refusal = settle_all(turns, verdicts)
    assert refusal == next((verdict for verdict in verdicts if isinstance(verdict, Refuse)), None)
    assert sorted(service.reports) == sorted(reports)
    assert not any(turn.is_under_way for turn in turns)


async def test_a_call_that_waits_is_held_before_it_is_enforced() -> None:
    """And is enforced as people have answered; without a way to hold it, as it is."""
    pending = Approval("a-1", ApprovalState.PENDING, 900_000)
    held = decision(Effect.HOLD, "approval_required", approval=pending)
    service = Service(held)
    turn = Turn(service, "result")
    assert isinstance(await turn.decide(CALL, REQUEST), Refuse)

    replies = [held, ALLOW]
    service = Service(lambda call: replies.pop(0))
    service.approvals = [Approval("a-1", ApprovalState.GRANTED)]
    listener = Listener(nothing, nothing)
    hold = Hold(service, lambda: "again", Plan(5, takes_events=False), listener, Holding(4))
    turn = Turn(service, "result")
    assert await turn.decide(CALL, REQUEST, hold) == Forward()
    assert [call.request_id for call in service.calls] == ["r", "again"]


async def nothing(message: object) -> None:
    """Hears everything and does nothing."""
