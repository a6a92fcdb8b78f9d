"""Who is logged in, and until when."""

from __future__ import annotations

import secrets

import pytest

from tipstaff.console import sessions
from tipstaff.console.sessions import IDLE_SECONDS, LONGEST_SECONDS, Person, Sessions

ANA = Person("ana", may_answer=True)


def begun(now: float = 0.0) -> tuple[Sessions, str]:
    book, secret = Sessions(), secrets.token_urlsafe(32)
    book.begin(secret, "form", ANA, now)
    return book, secret


def test_a_session_is_found_by_its_secret_alone() -> None:
    """And nothing that is kept is the secret."""
    book, secret = begun()
    session = book.get(secret, 1.0)
    assert session is not None
    assert session.person == ANA
    assert book.get(secrets.token_urlsafe(32), 1.0) is None
    assert secret not in repr(vars(book))


def test_a_session_ends_when_it_is_idle() -> None:
    """Each request begins the time anew."""
    book, secret = begun()
    assert book.get(secret, IDLE_SECONDS - 1) is not None
    assert book.get(secret, 2 * IDLE_SECONDS - 2) is not None
    assert book.get(secret, 4 * IDLE_SECONDS) is None
    assert book.get(secret, 4 * IDLE_SECONDS) is None


def test_a_session_ends_when_it_is_old() -> None:
    """However busy it is."""
    book, secret = begun()
    for now in range(0, LONGEST_SECONDS, IDLE_SECONDS - 1):
        assert book.get(secret, now) is not None
    assert book.get(secret, LONGEST_SECONDS) is None


def test_who_logs_out_is_out() -> None:
    """At once, and for good."""
    book, secret = begun()
    book.end(secret)
    book.end(secret)
    assert book.get(secret, 0.0) is None


def test_there_are_so_many_sessions_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; those that are over go first."""
    monkeypatch.setattr(sessions, "MOST", 2)
    book, first = begun()
    others = [secrets.token_urlsafe(32) for _ in range(2)]
    for secret in others:
        book.begin(secret, "form", ANA, 1.0)
    assert book.get(first, 1.0) is None
    assert all(book.get(secret, 1.0) for secret in others)


@pytest.mark.parametrize("text", ["", "x", "a" * 42, "a" * 44, "a" * 42 + "/", "../" + "a" * 40])
def test_what_has_not_the_form_of_a_secret_is_none(text: str) -> None:
    """It is looked up nowhere."""
    assert not sessions.is_secret(text)
    assert Sessions().get(text, 0.0) is None
