"""What asking people has come to."""

from __future__ import annotations

import pytest
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.api.model import Effect
from pdp.api.reasons import REASONS
from pdp.approvals import answers
from pdp.approvals.outcome import Outcome
from tests.held import BO, START, held_call

CODES = {
    State.PENDING: ("approval_required", Effect.HOLD),
    State.GRANTED: (None, Effect.DENY),
    State.USED: (None, Effect.DENY),
    State.REFUSED: ("approval_refused", Effect.DENY),
    State.EXPIRED: ("approval_expired", Effect.DENY),
    State.LAPSED: ("approval_expired", Effect.DENY),
    State.WITHDRAWN: ("approval_withdrawn", Effect.DENY),
    State.VOID: ("approval_withdrawn", Effect.DENY),
    State.UNKNOWN: ("approval_required", Effect.DENY),
}


@pytest.mark.parametrize("state", State)
def test_only_a_grant_lets_the_call_go_on(state: State) -> None:
    """Every state has its reason, and only a pending one holds."""
    outcome = Outcome(structs.replace(held_call(), state=state), now=START)
    code, effect = CODES[state]
    reason = outcome.reason("Ask.")
    assert (reason.code if reason else None) == code
    assert outcome.effect is effect
    assert outcome.approval is not None
    assert outcome.approval.state is state


def test_without_an_approval_there_is_a_reason_for_it() -> None:
    """From the table, and nothing to wait for."""
    outcome = Outcome(code="approval_overload")
    reason = outcome.reason("Ask.")
    assert reason is not None
    assert (reason.code, reason.message) == ("approval_overload", REASONS["approval_overload"])
    assert (outcome.effect, outcome.approval) == (Effect.DENY, None)


def test_who_was_not_asked_about_is_held_by_the_rule_s_sentence() -> None:
    """As in a trial."""
    outcome = Outcome()
    reason = outcome.reason("Ask.")
    assert reason is not None
    assert (reason.code, reason.message) == ("approval_required", "Ask.")
    assert (outcome.effect, outcome.approval) == (Effect.HOLD, None)


def test_the_note_of_a_refusal_reaches_the_agent_without_secrets() -> None:
    """And at a length that a model reads."""
    for note, shown in (
        ("", "a person refused this call"),
        ("Use staging.", "a person refused this call: Use staging."),
        ("x" * 600, f"a person refused this call: {'x' * 500}…"),
    ):
        refused = answers.refuse(held_call(), BO, note, START)
        reason = Outcome(refused).reason("Ask.")
        assert reason is not None
        assert reason.message == shown
    refused = answers.refuse(held_call(), BO, "password=hunter2hunter2", START)
    reason = Outcome(refused).reason("Ask.")
    assert reason is not None
    assert "hunter2" not in reason.message
