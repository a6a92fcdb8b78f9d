"""Carrying out a hold: each judgement is asked for under an id of its own, and the client is told meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import Approval, ApprovalState, Effect, Protocol
from pep.judge.hold import Hold, Listener, Outcome, progress_token
from pep.judge.holding import Plan
from pep.judge.rounds import Leg, Round, Rounds
from pep.load.room import Holding
from pep.mcp.jsonrpc import Request
from pep.mcp.methods import MODERN
from tests.exchange_rig import Service, decision
from tests.unit.pep.judge.test_turn import CALL

PENDING = Approval("a-1", ApprovalState.PENDING, 900_000)
GRANTED = Approval("a-1", ApprovalState.GRANTED, 900_000)
HELD = decision(Effect.HOLD, "approval_required", approval=PENDING)
AWAY = decision(Effect.DENY, "pdp_unavailable")


class Heard:
    """A client that remembers what it hears."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.messages: list[bytes] = []

    async def comment(self, text: str) -> None:
        self.comments.append(text)

    async def notify(self, message: bytes) -> None:
        self.messages.append(message)


def hold(service: Service, client: Heard, plan: Plan, places: Holding | None = None) -> Hold:
    numbers = iter(range(100))
    listener = Listener(client.comment, client.notify)
    return Hold(service, lambda: f"new-{next(numbers)}", plan, listener, places or Holding(4))


async def test_the_same_call_is_judged_anew_under_another_id() -> None:
    """It names the approval that it has waited for, and is otherwise the call that was held."""
    service, client = Service(decision()), Heard()
    service.approvals = [PENDING, GRANTED]
    plan = Plan(5, takes_events=True, progress_token=7)
    result = await hold(service, client, plan).until_decided(CALL, HELD)
    assert result.decision.effect is Effect.ALLOW
    (again,) = service.calls
    assert (again.request_id, again.approval_id) == ("new-0", "a-1")
    assert (again.target, again.arguments) == (CALL.target, CALL.arguments)
    assert client.comments == ["held a-1"]
    assert b'"progressToken":7' in client.messages[0]


async def test_a_call_without_a_place_is_not_held() -> None:
    """It is answered at once as pending; a place that is free again holds the next one."""
    service, client, places = Service(decision()), Heard(), Holding(4)
    held = hold(service, client, Plan(5, takes_events=True), places)
    with places.counted(CALL.principal.id):
        assert await held.until_decided(CALL, HELD) == Outcome(HELD)
    assert (service.waits, service.calls, client.comments) == ([], [], [])
    service.approvals = [GRANTED]
    assert (await held.until_decided(CALL, HELD)).decision.effect is Effect.ALLOW


async def test_only_a_call_that_has_been_held_goes_on_in_another_request() -> None:
    """Neither one that was decided, nor one for which there was no place: that would be asked again at once."""
    rounds, modern = (
        Rounds(b"k" * 32, lambda: 0.0),
        structs.replace(CALL, protocol=Protocol(MODERN, "v")),
    )
    service, client, places = Service(decision()), Heard(), Holding(4)
    plan = Plan(0.001, takes_events=False)
    held = structs.replace(hold(service, client, plan, places), leg=Leg(rounds, 1))
    service.approvals = [PENDING]
    outcome = await held.until_decided(modern, HELD)
    assert outcome.decision is HELD
    assert rounds.read(outcome.next_state, modern) == Round("a-1", 1)
    with places.counted(CALL.principal.id):
        assert await held.until_decided(modern, HELD) == Outcome(HELD)
    service.approvals = [GRANTED]
    assert (await held.until_decided(modern, HELD)).next_state == ""


async def test_a_repeat_keeps_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judgement whose reply was lost may have used the grant under it."""
    monkeypatch.setattr("pep.judge.holding.PAUSE_SECONDS", 0.001)
    replies = [AWAY, AWAY, decision()]
    service, client = Service(lambda call: replies.pop(0)), Heard()
    service.approvals = [GRANTED]
    result = await hold(service, client, Plan(5, takes_events=False)).until_decided(CALL, HELD)
    assert result.decision.effect is Effect.ALLOW
    assert {call.request_id for call in service.calls} == {"new-0"}
    assert len(service.calls) == 3


@pytest.mark.parametrize(
    ("meta", "token"),
    [
        ({"progressToken": "a"}, "a"),
        ({"progressToken": 0}, 0),
        ({"progressToken": True}, None),
        ({"progressToken": 1.5}, None),
        ({"progressToken": None}, None),
        ({}, None),
        (None, None),
        ("x", None),
    ],
)
def test_progress_goes_to_those_who_gave_a_token(meta: Any, token: Any) -> None:
    """A text or a whole number (MCP, basic/utilities/progress)."""
    assert progress_token(Request(b"", 1, "tools/call", {"_meta": meta})) == token
