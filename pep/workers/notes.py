"""The notes that workers send each other: what one has learnt and another needs to know. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pdp.api.model import Client, Principal
from pep.callers.session import LegacySession, SessionBook
from pep.judge.server_requests import Holder, ServerRequests
from pep.judge.tasks import TaskBook


class SessionNote(Struct, frozen=True, tag="session"):
    """A server gave a legacy session to a caller."""

    server: str
    session: str
    principal: str
    client: Client


class TaskNote(Struct, frozen=True, tag="task"):
    """An answer to a caller named a task."""

    server: str
    task: str
    principal: Principal


class AnswerNote(Struct, frozen=True, tag="answer"):
    """A client without a session answers a request of a server. Was it shown it where the note arrives?"""

    server: str
    principal: str
    id: str | int


Note = SessionNote | TaskNote | AnswerNote
_decoder = msgspec.json.Decoder(Note)


class Books(Struct, frozen=True):
    """What a worker remembers for requests to come."""

    sessions: SessionBook
    server_requests: ServerRequests
    tasks: TaskBook


def encode(note: Note) -> bytes:
    """The note as JSON."""
    return msgspec.json.encode(note)


def decode(data: bytes) -> Note:
    """The note in JSON; raises `ValueError`."""
    note: Note = _decoder.decode(data)
    return note


def take(note: Note, books: Books) -> bool:
    """Write a note of another worker into the books; returns the answer to a note that asks."""
    match note:
        case SessionNote(server, session, principal, client):
            books.sessions.learn(server, session, LegacySession(principal, client))
        case TaskNote(server, task, principal):
            books.tasks.learn(server, task, principal)
        case AnswerNote(server, principal, request_id):
            return books.server_requests.answer(Holder(server, principal), request_id)
    return True
