"""Whose a task is."""

from __future__ import annotations

import pytest

from pdp.api.model import Principal
from pep.errors import InvalidParams
from pep.judge.tasks import TaskBook

ALICE, BOB = Principal("alice", "jwt"), Principal("bob", "jwt")
SOMEBODY = Principal("anonymous:127.0.0.1", "anonymous")


def test_a_task_is_its_creators_and_nobody_elses() -> None:
    """Another caller hears what is said of a task that does not exist."""
    book = TaskBook()
    book.learn("files", "t", ALICE)
    book.check("files", "t", ALICE)
    for principal in (BOB, SOMEBODY):
        with pytest.raises(InvalidParams, match="Task not found"):
            book.check("files", "t", principal)


def test_naming_it_to_another_does_not_make_it_theirs() -> None:
    """The first caller it was named to owns it."""
    book = TaskBook()
    book.learn("files", "t", ALICE)
    book.learn("files", "t", BOB)
    assert not book.is_owner("files", "t", BOB)


def test_a_task_of_another_server_is_another_task() -> None:
    """Servers choose ids without each other."""
    book = TaskBook()
    book.learn("files", "t", ALICE)
    assert not book.is_owner("mail", "t", ALICE)


def test_an_unknown_task_is_left_to_the_server_only_where_anybody_may_call() -> None:
    """After a restart nothing is known; who authenticates begins again."""
    book = TaskBook()
    assert book.is_owner("files", "t", SOMEBODY)
    assert not book.is_owner("files", "t", ALICE)


def test_the_least_recently_used_is_forgotten_first() -> None:
    """The book is bounded."""
    book = TaskBook(capacity=2)
    for task in ("a", "b"):
        book.learn("files", task, ALICE)
    book.learn("files", "a", ALICE)
    book.learn("files", "c", ALICE)
    assert [book.is_owner("files", task, ALICE) for task in "abc"] == [True, False, True]
