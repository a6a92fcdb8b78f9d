"""Whose answer counts, and when the answers are enough."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import answers
from pdp.approvals.answers import Person
from pdp.approvals.life import SECOND, Caller, HeldCall
from pdp.approvals.terms import Standing, Terms
from pdp.errors import AnswerError
from tests.held import ANA, BO, CY, START, held_call

NOBODY_S = Caller("token:other", "token")


def reason(answer: Any, *given: Any, **more: Any) -> str:
    with pytest.raises(AnswerError) as caught:
        answer(*given, **more)
    return caught.value.reason


def grant(held: HeldCall, person: Person, note: str = "", **more: Any) -> HeldCall:
    return answers.grant(held, person, note, START + 1, **more)


def test_one_yes_is_enough_where_one_is_asked_for() -> None:
    """With who said it and how that was proven."""
    granted = grant(held_call(), BO, " fine ")
    assert granted.state is State.GRANTED
    (answer,) = granted.answers
    assert (answer.by, answer.method, answer.note, answer.groups) == (
        "bo",
        "console",
        "fine",
        ("finance",),
    )


def test_a_quorum_counts_distinct_people() -> None:
    """However often one of them says yes."""
    held = held_call(Terms(count=2), caller=NOBODY_S)
    once = grant(held, BO)
    assert (once.state, len(once.answers)) == (State.PENDING, 1)
    assert grant(once, BO) is once
    assert grant(once, CY).state is State.GRANTED


def test_each_rule_has_its_own_people() -> None:
    """One person may stand in for several groups, and nobody for a group they are not in."""
    held = held_call(Terms(approvers=("finance",)), Terms(approvers=("ops",)), caller=NOBODY_S)
    assert grant(held, BO).state is State.PENDING
    assert grant(held, ANA).state is State.GRANTED
    assert reason(grant, held, CY) == "APPROVER_NOT_ALLOWED"


@pytest.mark.parametrize(
    "caller",
    [
        Caller("token:ana-agent", "token"),
        Caller("jwt:x", "jwt", human="ana"),
        Caller("ana", "mtls"),
    ],
)
def test_nobody_approves_a_call_of_their_own_agent(caller: Caller) -> None:
    """By whatever the person is known."""
    held = held_call(caller=caller)
    assert answers.is_human_behind(held, ANA)
    assert reason(grant, held, ANA) == "APPROVAL_OF_OWN_CALL"
    assert grant(held, BO).state is State.GRANTED


def test_a_rule_may_let_people_confirm_their_own() -> None:
    """Which is on record, and counts for that rule alone."""
    granted = grant(held_call(Terms(not_self=False)), ANA)
    assert granted.state is State.GRANTED
    assert granted.answers[0].is_self
    both = held_call(Terms(not_self=False), Terms())
    assert grant(both, ANA).state is State.PENDING


def test_one_no_is_enough_and_the_person_behind_may_say_it() -> None:
    """Whatever others have said."""
    held = grant(held_call(Terms(count=2)), BO)
    refused = answers.refuse(held, ANA, "no", START + 2)
    assert (refused.state, refused.answers[-1].is_self) == (State.REFUSED, True)
    assert answers.refuse(refused, ANA, "no", START + 3) is refused
    outsider = held_call(Terms(approvers=("ops",)))
    assert reason(answers.refuse, outsider, CY, "", START) == "APPROVER_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("note", "yes", "no"), [("optional", "", ""), ("on_refuse", "", "NOTE_MISSING"), ("always", "NOTE_MISSING", "NOTE_MISSING")]
)  # fmt: skip
def test_a_note_is_wanted_where_the_rule_wants_one(note: Any, yes: str, no: str) -> None:
    """Blanks are no note."""
    held = held_call(Terms(note=note))
    for answer, expected in ((answers.grant, yes), (answers.refuse, no)):
        if expected:
            assert reason(answer, held, BO, "  ", START) == expected
        assert answer(held, BO, "because", START).state is not State.PENDING
    assert reason(grant, held, BO, "x" * 2001) == "NOTE_TOO_LONG"


def test_what_has_ended_takes_no_answer() -> None:
    """Also when only its time is over; the error says who was faster."""
    granted = grant(held_call(), BO)
    with pytest.raises(AnswerError, match="granted already by bo"):
        grant(granted, CY)
    assert grant(granted, BO) is granted
    late = START + 900 * SECOND
    assert reason(answers.grant, held_call(), BO, "", late) == "APPROVAL_ENDED"
    assert reason(answers.refuse, granted, CY, "", START) == "APPROVAL_ENDED"


def test_an_answer_to_what_was_not_shown_does_not_count() -> None:
    """The digest is that of the call."""
    held = held_call()
    assert reason(grant, held, BO, digest="sha256:2") == "APPROVAL_STALE"
    assert reason(answers.refuse, held, BO, "", START, digest="sha256:2") == "APPROVAL_STALE"
    assert grant(held, BO, digest=held.key).state is State.GRANTED


def test_a_grant_stands_as_long_as_everybody_wants() -> None:
    """Which is not at all, if one of them does not say."""
    terms = Terms(count=2, standing=Standing(600))
    for first, second, seconds in ((300, 60, 60), (60, 0, 0), (0, 300, 0)):
        held = grant(held_call(terms, caller=NOBODY_S), BO, standing=first)
        granted = grant(held, CY, standing=second)
        assert granted.is_standing is bool(seconds)
        if seconds:
            assert granted.ends == START + 1 + seconds * SECOND


@pytest.mark.parametrize("seconds", [-1, 601])
def test_a_grant_stands_no_longer_than_the_rule_says(seconds: int) -> None:
    """Never for a tool of critical risk, and never without a rule that says so."""
    terms = Terms(standing=Standing(600))
    assert reason(grant, held_call(terms), BO, standing=seconds) == "STANDING_NOT_ALLOWED"
    critical = held_call(terms, risk="critical")
    assert reason(grant, critical, BO, standing=60) == "STANDING_NOT_ALLOWED"
    assert reason(grant, held_call(), BO, standing=60) == "STANDING_NOT_ALLOWED"


def test_who_may_answer_may_take_back() -> None:
    """A question, or a grant that nobody has used."""
    held = held_call(Terms(approvers=("finance",)))
    assert answers.withdraw(held, BO, "", START).state is State.WITHDRAWN
    assert answers.withdraw(grant(held, BO), ANA, "", START).state is State.VOID
    assert reason(answers.withdraw, held, CY, "", START) == "APPROVER_NOT_ALLOWED"
    used = structs.replace(held, state=State.USED)
    assert reason(answers.withdraw, used, BO, "", START) == "APPROVAL_ENDED"
