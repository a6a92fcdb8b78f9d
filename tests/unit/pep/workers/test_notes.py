"""What workers tell each other."""

from __future__ import annotations

import pytest

from pdp.api.model import Client, Principal
from pep.callers.session import SessionBook
from pep.errors import SessionNotFound
from pep.judge.server_requests import Holder, ServerRequests
from pep.judge.tasks import TaskBook
from pep.workers.notes import AnswerNote, Books, Note, SessionNote, TaskNote, decode, encode, take

ANN, BOB = Principal("ann", "jwt"), Principal("bob", "jwt")


def books() -> Books:
    return Books(SessionBook(), ServerRequests(), TaskBook())


@pytest.mark.parametrize(
    "note",
    [
        SessionNote("s", "abc", "ann", Client("c", "1")),
        TaskNote("s", "t", ANN),
        AnswerNote("s", "ann", 1),
        AnswerNote("s", "ann", "1"),
    ],
)
def test_a_note_is_read_as_it_was_written(note: Note) -> None:
    """Also the kind of an id: 1 and "1" are two."""
    assert decode(encode(note)) == note


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"session"}', b'{"type":"other"}', b"[]"])
def test_what_is_no_note_is_an_error(data: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"."):
        decode(data)


def test_a_session_of_another_worker_is_its_callers_here() -> None:
    """And nobody else's."""
    here = books()
    assert take(SessionNote("s", "abc", "ann", Client("c", "1")), here)
    known = here.sessions.find("s", "abc", ANN)
    assert known is not None
    assert known.client == Client("c", "1")
    with pytest.raises(SessionNotFound):
        here.sessions.find("s", "abc", BOB)


def test_a_task_of_another_worker_is_its_callers_here() -> None:
    """And nobody else's."""
    here = books()
    assert take(TaskNote("s", "t", ANN), here)
    assert here.tasks.is_owner("s", "t", ANN)
    assert not here.tasks.is_owner("s", "t", BOB)


def test_an_answer_is_taken_where_its_request_was_shown_and_only_once() -> None:
    """For the client that was shown it."""
    here = books()
    here.server_requests.show(Holder("s", "ann"), 1)
    assert not take(AnswerNote("s", "bob", 1), here)
    assert not take(AnswerNote("s", "ann", "1"), here)
    assert take(AnswerNote("s", "ann", 1), here)
    assert not take(AnswerNote("s", "ann", 1), here)
