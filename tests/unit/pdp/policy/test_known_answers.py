"""Answers that are known already: whose they are, which are never kept, and how many."""

from __future__ import annotations

import pytest

from pdp.answer import Fault, PolicyAnswer
from pdp.api.model import Effect, Reason
from pdp.policy.known_answers import KnownAnswers


def answer(code: str, effect: Effect = Effect.ALLOW) -> PolicyAnswer:
    return PolicyAnswer(effect, Reason(code, ""), "servers.a.default")


def test_an_answer_is_known_to_the_same_question_under_the_same_revision() -> None:
    """And to no other."""
    known = KnownAnswers(10)
    known.put("r1", b"q", answer("a"))
    assert known.get("r1", b"q") == answer("a")
    assert known.get("r1", b"other") is None
    assert known.get("r2", b"q") is None


def test_another_revision_forgets_the_answers_of_the_first() -> None:
    """Also when the first comes back: what it answered then may have been forgotten for a reason."""
    known = KnownAnswers(10)
    known.put("r1", b"q", answer("a"))
    known.put("r2", b"p", answer("b"))
    known.put("r1", b"o", answer("c"))
    assert known.get("r1", b"q") is None
    assert known.get("r1", b"o") == answer("c")


@pytest.mark.parametrize("kept", [Fault("policy_error", "x"), answer("a", Effect.HOLD)])
def test_faults_and_holds_are_never_kept(kept: PolicyAnswer | Fault) -> None:
    """A fault may pass; people are asked anew."""
    known = KnownAnswers(10)
    known.put("r1", b"q", kept)
    assert known.get("r1", b"q") is None


def test_the_answer_that_was_not_used_for_the_longest_time_gives_way() -> None:
    """The number is bounded."""
    known = KnownAnswers(2)
    known.put("r", b"1", answer("1"))
    known.put("r", b"2", answer("2"))
    assert known.get("r", b"1") is not None
    known.put("r", b"3", answer("3"))
    assert known.get("r", b"2") is None
    assert known.get("r", b"1") is not None


def test_a_long_question_is_not_kept() -> None:
    """It would take the place of many."""
    known = KnownAnswers(2)
    known.put("r", b"x" * 5000, answer("1"))
    assert known.get("r", b"x" * 5000) is None


def test_with_room_for_none_nothing_is_known() -> None:
    """That is how it is turned off."""
    known = KnownAnswers(0)
    known.put("r", b"1", answer("1"))
    assert known.get("r", b"1") is None


def test_all_are_forgotten_at_once() -> None:
    """As when OPA has ended."""
    known = KnownAnswers(2)
    known.put("r", b"1", answer("1"))
    known.forget()
    assert known.get("r", b"1") is None
