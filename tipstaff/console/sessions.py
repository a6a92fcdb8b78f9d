"""Who is logged in. Pure: times and random texts come in.

Only digests are kept of what a browser shows, so that nobody who reads the memory or the folder of logins
can log in by it. A session ends when it is idle, when it is old, and when the person logs out.
"""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

from msgspec import Struct

IDLE_SECONDS = 30 * 60
LONGEST_SECONDS = 12 * 3600
LOGIN_SECONDS = 10 * 60
MOST = 1000
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class Person(Struct, frozen=True):
    """Who is logged in, whether they may answer, and how it was proven who they are."""

    id: str
    may_answer: bool
    method: str = "console"


class People(Protocol):
    """Who may come in, as it is configured now."""

    def __call__(self, name: str) -> Person | None:
        """The person of that name, `None` for one who may not come in."""

    def are_named(self) -> bool:
        """Whether they are named one by one; else everybody may come in who can make an address here."""


class Login(Struct, frozen=True):
    """A way in for one person, once, until `expires` in seconds since the epoch."""

    person: str
    expires: float


class Session(Struct):
    """A logged-in browser; `token` stands in its forms. Times in seconds of any clock that never goes back."""

    person: Person
    token: str
    began: float
    seen: float
    streams: int = 0


class Sessions:
    """All sessions, by the digest of what the cookie holds."""

    def __init__(self) -> None:
        """Nobody is logged in."""
        self._sessions: dict[str, Session] = {}

    def begin(self, secret: str, token: str, person: Person, now: float) -> None:
        """Log a person in; `secret` is what the cookie will hold."""
        self._forget(now)
        if len(self._sessions) >= MOST:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[digest(secret)] = Session(person, token, now, now)

    def get(self, secret: str, now: float) -> Session | None:
        """The session of a cookie, `None` when there is none or it is over."""
        if not is_secret(secret):
            return None
        session = self._sessions.get(digest(secret))
        if session is None or _is_over(session, now):
            self._sessions.pop(digest(secret), None)
            return None
        session.seen = now
        return session

    def end(self, secret: str) -> None:
        """Log out."""
        self._sessions.pop(digest(secret), None)

    def _forget(self, now: float) -> None:
        for key in [key for key, session in self._sessions.items() if _is_over(session, now)]:
            del self._sessions[key]


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret of ours: 256 bits, base64url."""
    return _SECRET.fullmatch(text) is not None


def digest(secret: str) -> str:
    """What is kept of a secret; nobody can guess 256 bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_over(session: Session, now: float) -> bool:
    return now - session.seen >= IDLE_SECONDS or now - session.began >= LONGEST_SECONDS
