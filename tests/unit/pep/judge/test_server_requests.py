"""Which requests of a server a client may answer, and how many are remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.judge.server_requests import Holder, ServerRequests, Shown

ANN, BOB = Holder("s", "ann", "x"), Holder("s", "bob", "x")


def test_what_was_shown_is_answered_once() -> None:
    """And nothing else."""
    book = ServerRequests()
    assert not book.answer(ANN, 1)
    book.show(ANN, 1)
    assert not book.answer(ANN, "1")
    assert book.answer(ANN, 1)
    assert not book.answer(ANN, 1)


@pytest.mark.parametrize(
    "other", [BOB, Holder("t", "ann", "x"), Holder("s", "ann", "y"), Holder("s", "ann")]
)
def test_it_is_for_whom_it_was_shown_to(other: Holder) -> None:
    """Another caller, server or session was not asked; and forgets nothing of it."""
    book = ServerRequests()
    book.show(ANN, 1)
    assert not book.answer(other, 1)
    book.withdraw(other, 1)
    book.reopen(other, 1)
    book.forget(other)
    assert book.answer(ANN, 1)


@pytest.mark.parametrize("long", ["x" * 200, 10**90, -(10**90)])
def test_long_ids_are_kept_by_their_digest(long: Any) -> None:
    """They cannot fill the memory, and stay what they are."""
    book = ServerRequests()
    book.show(ANN, long)
    assert not book.answer(ANN, str(long) if isinstance(long, int) else long + "x")
    assert book.answer(ANN, long)


def test_a_request_shown_again_on_resumption_counts_once() -> None:
    """An answered one stays answered there; elsewhere the server uses its ids again."""
    book = ServerRequests()
    stream, resumed = Shown(book, ANN), Shown(book, ANN, is_resumed=True)
    stream.show(1)
    resumed.show(1)
    assert len(book) == 1
    assert book.answer(ANN, 1)
    resumed.show(1)
    assert not book.answer(ANN, 1)
    stream.show(1)
    assert book.answer(ANN, 1)


def test_a_request_that_is_withdrawn_is_answered_no_more() -> None:
    """One that was not shown cannot be withdrawn."""
    book = ServerRequests()
    Shown(book, ANN).show(1)
    Shown(book, ANN).withdraw(2)
    Shown(book, ANN).withdraw(1)
    assert (book.answer(ANN, 1), len(book)) == (False, 0)


def test_an_answer_that_did_not_arrive_may_be_given_again() -> None:
    """But not to a request that has been withdrawn meanwhile."""
    book = ServerRequests()
    book.show(ANN, 1)
    book.answer(ANN, 1)
    book.reopen(ANN, 1)
    assert book.answer(ANN, 1)
    book.withdraw(ANN, 1)
    book.reopen(ANN, 1)
    assert not book.answer(ANN, 1)


def test_a_session_that_ended_is_forgotten() -> None:
    """With all that it was shown; others' is kept."""
    book = ServerRequests()
    for holder in (ANN, BOB, Holder("s", "ann", "y")):
        book.show(holder, 1)
    book.forget(ANN)
    book.forget(ANN)
    assert (len(book), book.answer(ANN, 1), book.answer(BOB, 1)) == (2, False, True)
    book.forget(BOB)
    assert len(book) == 1


def test_a_session_remembers_a_bounded_number() -> None:
    """What is answered is forgotten first, then the oldest."""
    book = ServerRequests(of_session=2)
    for number in (1, 2):
        book.show(ANN, number)
    book.answer(ANN, 2)
    book.show(ANN, 3)
    assert (book.answer(ANN, 1), book.answer(ANN, 2)) == (True, False)
    book.reopen(ANN, 1)
    for number in (4, 5):
        book.show(ANN, number)
    assert [book.answer(ANN, number) for number in (1, 3, 4, 5)] == [False, False, True, True]


def test_a_caller_pays_for_its_own_sessions() -> None:
    """Its least recently used go; another caller's stay."""
    book = ServerRequests(of_session=2, of_caller=3)
    book.show(BOB, 1)
    for session in "abcd":
        book.show(Holder("s", "ann", session), 1)
    assert [book.answer(Holder("s", "ann", session), 1) for session in "abcd"] == [False, True, True, True]  # fmt: skip
    assert book.answer(BOB, 1)


def test_all_together_remember_a_bounded_number() -> None:
    """The caller goes that was shown nothing for longest."""
    book = ServerRequests(most=2)
    for caller in "abc":
        book.show(Holder("s", caller), 1)
    assert len(book) == 2
    assert [book.answer(Holder("s", caller), 1) for caller in "abc"] == [False, True, True]


HOLDERS = st.builds(Holder, st.just("s"), st.sampled_from("ab"), st.sampled_from("xyz"))
STEPS = st.lists(
    st.tuples(st.sampled_from(["show", "answer", "withdraw", "reopen", "forget"]), HOLDERS, st.integers(0, 4))
)  # fmt: skip


@given(STEPS)
def test_whatever_happens_the_count_is_right_and_bounded(steps: Any) -> None:
    """And an answer is only ever taken of what was shown to that very holder."""
    book, shown = ServerRequests(of_session=3, of_caller=5, most=7), set()
    for what, holder, number in steps:
        if what == "forget":
            book.forget(holder)
            continue
        taken = getattr(book, what)(holder, number)
        if what == "show":
            shown.add((holder, number))
        elif what == "answer" and taken:
            assert (holder, number) in shown
        sizes = [len(one.is_open) for caller in book._callers.values() for one in caller.sessions.values()]  # fmt: skip
        assert len(book) == sum(sizes) <= 7
        assert [caller.count for caller in book._callers.values()] == [
            sum(len(one.is_open) for one in caller.sessions.values())
            for caller in book._callers.values()
        ]
