"""Why a server could not be asked for its tools, in words: what came back, and what to do. Pure.

What a server says is a stranger's text: it is shown on one line, without colours and the like, made
visible, cut, and without the secrets that it was given.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import TypeAlias

from msgspec import Struct

from pep.config import Server
from tipstaff.common.masking import SHORTEST_SECRET, spellings
from tipstaff.common.visible_text import visible

Complaint: TypeAlias = tuple[str, str]
"""What came back, and what to do."""

_LONGEST_LINE = 300
_MCP_TYPES = frozenset({"application/json", "text/event-stream"})
_TERMINAL_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_IS_IT_THERE = "Is the server running there, and is this its port?"
_IS_IT_HTTP = "Is it an MCP server over HTTP, and is it http:// or https:// there?"
_IS_IT_MCP = "Is this the URL of its MCP endpoint? Its path is often /mcp."
_GIVE_PROOF = 'Give it a token: `bearer = "env:NAME"`, or a header line of its own under `headers`.'
_CHECK_PROOF = "Is the token or header line that is sent to it the right one, and still valid?"
_ADVICE = {
    405: f"The old HTTP+SSE transport, which does so, is not spoken here. {_IS_IT_MCP}",
    421: "It checks the Host header: does it go by the name in the URL?",
    429: "It was asked too often: try again later.",
}


class Reply(Struct, frozen=True):
    """The head of an HTTP answer."""

    status: int
    content_type: str
    location: str = ""
    """Where a redirect leads, without its query."""
    text: str = ""
    """What an error said to people; empty when it said nothing, or nothing for people."""


def of_reply(reply: Reply, *, has_credentials: bool) -> Complaint | None:
    """What the head of an HTTP answer tells; `None` when it is one in which MCP may speak."""
    status = reply.status
    if 200 <= status < 300:
        if reply.content_type in _MCP_TYPES:
            return None
        kind = reply.content_type or "something without a type"
        return f"it answered with {kind}, which is not MCP", _IS_IT_MCP
    outcome = f"it answered {status} {_phrase(status)}".rstrip()
    if 300 <= status < 400:
        outcome += f" to {reply.location}, which was not followed" if reply.location else ""
        return outcome, "If the server is there, give that URL."
    if status in {401, 403}:
        return outcome, _CHECK_PROOF if has_credentials else _GIVE_PROOF
    return outcome, _ADVICE.get(status, _IS_IT_MCP if status < 500 else "Its own log says why.")


def of_connection(error: BaseException, *, was_made: bool) -> Complaint:
    """Why no connection was made, or what it means that one broke."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "its certificate is not trusted", "Name its authority's file in SSL_CERT_FILE."
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "it does not speak TLS", "Does the URL begin with http:// rather than https://?"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its host name is not known", "Is the host in the URL spelled right?"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "the connection was refused", _IS_IT_THERE
    if was_made:
        return "it closed the connection without an answer", _IS_IT_HTTP
    return f"no connection could be made ({type(leaf(error)).__name__})", _IS_IT_THERE


def leaf(error: BaseException) -> BaseException:
    """The innermost error of an exception group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _phrase(status: int) -> str:
    with contextlib.suppress(ValueError):
        return HTTPStatus(status).phrase
    return ""


def plain(text: str) -> str:
    """Untrusted text as a part of a sentence: one visible line of bounded length."""
    line = _TERMINAL_SEQUENCE.sub("", text[: 8 * _LONGEST_LINE])
    return visible(line, _LONGEST_LINE, folds=True).rstrip(".")


def last_lines(text: str, most: int = 10) -> tuple[str, ...]:
    """The last lines of a program's output, for a person to read."""
    lines = [plain(line) for line in text.splitlines()]
    return tuple([line for line in lines if line][-most:])


def secrets_of(server: Server) -> tuple[str, ...]:
    """What must not be shown: `server` has its references resolved, so it holds them."""
    sent = [server.bearer, *server.headers.values()]
    # Settings such as `true` or `debug` are everyday words; a secret is longer.
    given = [value for value in server.environment.values() if len(value) >= SHORTEST_SECRET]
    return tuple(sorted(spellings([*sent, *given]), key=len))
