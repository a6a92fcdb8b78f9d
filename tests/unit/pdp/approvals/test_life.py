"""The life of an approval: the table, and what each event makes of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pdp.api.model import Approval
from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import LIFE, OPEN, SECOND, Event
from pdp.approvals.terms import Terms
from tests.held import START, held_call

ENDED = {State.REFUSED, State.EXPIRED, State.WITHDRAWN, State.LAPSED, State.VOID, State.UNKNOWN}


def test_what_has_ended_has_ended() -> None:
    """No event leads out, and none leads back to a grant."""
    for (state, event), then in LIFE.items():
        assert state not in ENDED
        assert then is not State.PENDING
        assert (then is State.GRANTED) == ((state, event) == (State.PENDING, Event.GRANTED))
        assert (then is State.USED) == ((state, event) == (State.GRANTED, Event.CLAIMED))


@pytest.mark.parametrize("state", State)
def test_every_state_and_every_event_have_their_place_in_the_table(state: State) -> None:
    """Each pair does what it says, or nothing; an open state has ways out, each state a way in."""
    held = structs.replace(held_call(), state=state)
    for event in Event:
        after = life.happens(held, event, START + 1)
        assert after.state is LIFE.get((state, event), state)
        assert (after is held) == ((state, event) not in LIFE)
    ways_out = {event for event in Event if (state, event) in LIFE}
    expected = {
        State.PENDING: {Event.GRANTED, Event.REFUSED, Event.TIME, Event.WITHDRAWN, Event.CONTRADICTED},
        State.GRANTED: {Event.CLAIMED, Event.TIME, Event.WITHDRAWN, Event.CONTRADICTED},
        State.USED: {Event.LOST},
    }  # fmt: skip
    assert ways_out == expected.get(state, set())
    assert state is State.PENDING or state in LIFE.values()


def test_no_way_leads_from_an_end_to_a_grant() -> None:
    """However many events follow each other."""
    for state, events in itertools.product(
        ENDED | {State.USED}, itertools.product(Event, repeat=2)
    ):
        held = structs.replace(held_call(), state=state)
        for event in events:
            held = life.happens(held, event, START)
            assert held.state not in OPEN


@given(st.lists(st.sampled_from(list(Event)), max_size=8))
def test_whatever_happens_the_table_is_followed(events: list[Event]) -> None:
    """An event without a transition changes nothing at all."""
    held = held_call()
    for number, event in enumerate(events):
        after = life.happens(held, event, START + number)
        expected = LIFE.get((held.state, event))
        if expected is None:
            assert after is held
        else:
            assert (after.state, after.version) == (expected, held.version + 1)
        held = after


def test_two_clocks_run_one_after_the_other() -> None:
    """People have a time to answer, and the call a time to be made."""
    held = held_call(Terms(decide_within=100, use_within=50))
    assert life.at(held, START + 100 * SECOND - 1) is held
    assert life.at(held, START + 100 * SECOND).state is State.EXPIRED
    granted = life.happens(held, Event.GRANTED, START + 90 * SECOND)
    assert life.at(granted, START + 140 * SECOND - 1) is granted
    assert life.at(granted, START + 140 * SECOND).state is State.LAPSED


def test_a_grant_is_used_once_and_its_user_may_ask_again() -> None:
    """A repeat is the same request, whose reply was lost."""
    granted = life.happens(held_call(), Event.GRANTED, START)
    used = life.claim(granted, "r1", START + 1)
    assert used is not None
    assert (used.state, used.uses, used.used_by) == (State.USED, 1, "r1")
    assert life.claim(used, "r1", START + 2) is used
    assert life.claim(used, "r2", START + 2) is None


@pytest.mark.parametrize(
    "state", [state for state in State if state not in {State.GRANTED, State.USED}]
)
def test_only_a_grant_can_be_used(state: State) -> None:
    """Whatever else there is, and nobody's request has used it."""
    assert life.claim(structs.replace(held_call(), state=state), "r", START) is None


def test_a_grant_whose_time_is_over_cannot_be_used() -> None:
    """Even if nobody has ended it yet."""
    granted = life.happens(held_call(Terms(use_within=5)), Event.GRANTED, START)
    assert life.claim(granted, "r", START + 5 * SECOND) is None


def test_a_standing_grant_stays_until_its_time_is_over() -> None:
    """However often it is used."""
    held = life.happens(held_call(), Event.GRANTED, START)
    held = life.stand_until(held, START + 60 * SECOND)
    for number in range(3):
        claimed = life.claim(held, f"r{number}", START + number)
        assert claimed is not None
        held = claimed
    assert (held.state, held.uses) == (State.GRANTED, 3)
    assert life.claim(held, "late", START + 60 * SECOND) is None


@pytest.mark.parametrize(
    ("state", "after", "answers"),
    [
        (State.PENDING, 0, True), (State.PENDING, 900, False), (State.GRANTED, 0, True),
        (State.REFUSED, 0, True), (State.REFUSED, 900, False), (State.USED, 0, False),
        (State.EXPIRED, 0, False), (State.VOID, 0, False), (State.UNKNOWN, 0, False),
    ],
)  # fmt: skip
def test_an_equal_call_finds_its_answer_only_where_there_is_one(
    state: State, after: int, answers: bool
) -> None:
    """A no stands until the time to answer would have been over."""
    held = structs.replace(held_call(), state=state)
    assert life.answers_equal_calls(held, START + after * SECOND) is answers


def test_the_caller_is_told_what_it_waits_for() -> None:
    """Times in milliseconds from now."""
    held = held_call(Terms(approvers=("ops",), decide_within=60, hold_seconds=5))
    summary = life.summary(held, START + 10 * SECOND)
    assert summary == Approval("a-1", State.PENDING, 50_000, ("ops",), 5000)
    used = structs.replace(held, state=State.USED, ends=0)
    assert life.summary(used, START).expires_in_ms == 0


def test_a_call_that_joins_is_counted() -> None:
    """Without another change."""
    joined = life.join(held_call())
    assert (joined.joined, joined.state, joined.version) == (2, State.PENDING, 1)
    assert State.PENDING in OPEN


def test_a_grant_that_is_not_on_record_is_none_yet() -> None:
    """Nobody uses it, and others are told that it is pending; what has ended is told as it is."""
    granted = structs.replace(life.happens(held_call(), Event.GRANTED, START), unrecorded=1)
    assert life.claim(granted, "r", START) is None
    assert life.claim(life.stand_until(granted, START + SECOND), "r", START) is None
    assert life.on_record(granted).state is State.PENDING
    for held in (
        held_call(),
        structs.replace(granted, state=State.VOID),
        structs.replace(granted, unrecorded=0),
    ):
        assert life.on_record(held) is held


@pytest.mark.parametrize(
    ("unrecorded", "count", "left"),
    [(2, 3, 0), (2, 2, 1), (2, 1, 2), (1, 1, 1), (0, 3, 0), (3, 0, 3)],
)
def test_answers_are_marked_as_recorded_up_to_the_one_that_was_written(
    unrecorded: int, count: int, left: int
) -> None:
    """Those that came meanwhile stay unrecorded, and nothing that is on record ceases to be."""
    answers = (life.Answer("bo", "cli", START, is_grant=True),) * 3
    held = structs.replace(held_call(), answers=answers, unrecorded=unrecorded)
    after = life.recorded(held, count)
    assert after.unrecorded == left
    assert (after is held) == (left == unrecorded)
