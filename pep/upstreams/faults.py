"""What a request that its server has not answered is to the client. Pure."""

from __future__ import annotations

from pep.errors import AnswerUnreadable, Refusal, ServerBusy, UpstreamAway
from pep.ports import BusyError, LostError, NeverReachedError, UnreadableError


def refusal_of(error: NeverReachedError | LostError, server: str) -> Refusal:
    """The refusal for `error` of the server with this name."""
    match error:
        case BusyError():
            return ServerBusy(f"The server {server!r} is busy: {error}")
        case NeverReachedError():
            return UpstreamAway(f"The server {server!r} cannot be reached")
        case UnreadableError():
            return AnswerUnreadable(f"The answer of the server {server!r} cannot be read")
    return UpstreamAway(f"The server {server!r} ended the connection")
