"""A call that waits for people, by scripts without sockets: when the client hears what, and what ends the wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import Approval, ApprovalState, Decision, Effect
from pep.judge.holding import (
    Action,
    Comment,
    Judge,
    Judged,
    Pause,
    Plan,
    Progress,
    Wait,
    Waited,
    holding,
    is_held,
)
from tests.exchange_rig import decision

PENDING = Approval("a-1", ApprovalState.PENDING, 900_000, ("finance",))
HELD = decision(Effect.HOLD, "approval_required", approval=PENDING)
ALLOW = decision(approval=structs.replace(PENDING, state=ApprovalState.USED))
AWAY = decision(Effect.DENY, "pdp_unavailable")
LOUD = Plan(45, takes_events=True, progress_token="t")
QUIET = Plan(45, takes_events=False)


class Script:
    """Plays the machine on a clock of its own, which only its waits move on."""

    def __init__(self, answers: dict[float, Approval | None], decisions: list[Decision]) -> None:
        """At the times of `answers`, in seconds, the approval is what it is from then on."""
        self._answers = answers
        self._decisions = decisions
        self.now = 0.0
        self.actions: list[tuple[float, Action]] = []

    def play(self, plan: Plan, held: Decision = HELD) -> Decision:
        steps = holding(held, plan, self.now)
        try:
            action = next(steps)
            while True:
                self.actions.append((self.now, action))
                action = steps.send(self._reply(action))
        except StopIteration as end:
            result: Decision = end.value
            return result

    def _reply(self, action: Action) -> Any:
        match action:
            case Wait(_, seconds):
                return self._waited(seconds)
            case Pause(seconds):
                self.now += seconds
                return Waited(None, self.now)
            case Judge():
                return Judged(self._decisions.pop(0), self.now)
        return None

    def _waited(self, seconds: float) -> Waited:
        due = [at for at in self._answers if self.now <= at <= self.now + seconds]
        if not due:
            self.now += seconds
            return Waited(PENDING, self.now)
        self.now = max(self.now, min(due))
        return Waited(self._answers.pop(self.now), self.now)

    def times(self, kind: type[Action]) -> list[float]:
        return [at for at, action in self.actions if isinstance(action, kind)]

    def of(self, kind: Callable[..., Any]) -> list[Any]:
        return [action for _, action in self.actions if isinstance(action, kind)]  # type: ignore[arg-type]


def granted() -> Approval:
    return structs.replace(PENDING, state=ApprovalState.GRANTED)


def test_the_client_hears_at_once_and_then_again_and_again() -> None:
    """A comment every 15 s, progress every 10 s, until the time is over."""
    script = Script({}, [])
    assert script.play(LOUD) is HELD
    assert script.times(Comment) == [0, 15, 30, 45]
    assert script.times(Progress) == [0, 10, 20, 30, 40]
    assert script.now == 45


def test_progress_says_what_is_waited_for_and_always_increases() -> None:
    """Without a total, which nobody knows."""
    script = Script({}, [])
    script.play(LOUD)
    notes = [json.loads(action.message)["params"] for action in script.of(Progress)]
    assert notes[1] == {
        "progressToken": "t",
        "progress": 10,
        "message": "Waiting for approval a-1 (finance). 10 s",
    }
    counts = [note["progress"] for note in notes]
    assert counts == sorted(set(counts))


def test_a_client_that_takes_nothing_hears_nothing() -> None:
    """No stream, no token: only the answer."""
    script = Script({}, [])
    script.play(QUIET)
    assert {type(action) for _, action in script.actions} == {Wait}


def test_a_grant_counts_by_the_new_judgement_alone() -> None:
    """The call is judged anew at once, and what comes of that is enforced."""
    for judgement in (ALLOW, decision(Effect.DENY)):
        script = Script({3.0: granted()}, [judgement])
        assert script.play(QUIET) is judgement
        assert script.of(Judge) == [Judge("a-1", is_repeat=False)]
        assert script.now == 3


@pytest.mark.parametrize("state", [state for state in ApprovalState if state != "pending"])
def test_whatever_ends_the_wait_the_call_is_judged_anew(state: ApprovalState) -> None:
    """The proxy itself lets nothing go on."""
    script = Script({1.0: structs.replace(PENDING, state=state)}, [decision(Effect.DENY)])
    assert script.play(QUIET).effect is Effect.DENY
    assert len(script.of(Judge)) == 1


def test_a_judgement_that_holds_again_is_waited_for_in_the_same_time() -> None:
    """By another approval, for example after another call has used the grant."""
    other = structs.replace(HELD, approval=structs.replace(PENDING, id="a-2"))
    script = Script({40.0: granted()}, [other])
    assert script.play(QUIET) is other
    assert script.of(Wait)[-1].approval_id == "a-2"
    assert script.now == 45


def test_a_judgement_that_did_not_arrive_is_asked_for_under_the_same_id() -> None:
    """It may have used the grant."""
    script = Script({3.0: granted()}, [AWAY, AWAY, ALLOW])
    assert script.play(QUIET) is ALLOW
    assert [action.is_repeat for action in script.of(Judge)] == [False, True, True]


def test_a_service_that_stays_away_never_means_allow() -> None:
    """The call goes on waiting until its time is over, and is held then."""
    script = Script({3.0: granted()}, [AWAY] * 100)
    assert script.play(LOUD) is HELD
    assert script.now == 45


def test_who_cannot_tell_is_asked_again_after_a_pause() -> None:
    """Not at once, which would be thousands of times a second."""
    script = Script({}, [])
    script._waited = lambda seconds: Waited(None, script.now)  # type: ignore[method-assign]
    assert script.play(QUIET) is HELD
    assert len(script.of(Wait)) == len(script.of(Pause)) == 45


def test_a_rule_may_shorten_the_wait_and_not_lengthen_it() -> None:
    """The operator knows the clients, the rule knows the call."""
    for hold_ms, ends in ((2000, 2), (1, 0.001), (90_000, 45), (0, 45)):
        held = structs.replace(HELD, approval=structs.replace(PENDING, hold_ms=hold_ms))
        script = Script({}, [])
        script.play(QUIET, held)
        assert script.now == pytest.approx(ends)


def test_only_a_pending_approval_holds() -> None:
    """A hold that nobody can answer is refused at once."""
    assert is_held(HELD)
    assert not is_held(structs.replace(HELD, approval=None))
    assert not is_held(structs.replace(HELD, approval=granted()))
    assert not is_held(structs.replace(HELD, effect=Effect.DENY))
    script = Script({}, [])
    assert script.play(LOUD, structs.replace(HELD, approval=None)).approval is None
    assert script.actions == []
