"""Servers that speak stdio, behind the same URL as others: Streamable HTTP on one side, children on the other.

One child per legacy session and one per caller in the modern era, started by configuration alone:
nothing of a request reaches the command line or the environment. A session belongs to its caller: to
other callers it does not exist. Nothing is judged here; requests have been allowed before.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence

from msgspec import Struct

from pep.config import Server
from pep.errors import HeaderMismatch, InvalidRequest, Refusal, SessionNotFound, VerbNotAllowed
from pep.mcp.addressing import Addressed, read
from pep.mcp.headers import HANDSHAKE_VERSIONS, HeaderLines
from pep.mcp.jsonrpc import NO_REPLY, ReplyTo
from pep.mcp.methods import LEGACY, MODERN
from pep.ports import Answer
from pep.upstreams.child_conversation import ChildConversation
from pep.upstreams.http_answers import EventAnswer, WholeAnswer, head_status, refused
from pep.upstreams.param_headers import check_parameters
from pep.upstreams.reading import next_message
from pep.upstreams.shares import ChildKey
from pep.upstreams.stdio_pool import Pool, StartChild
from pep.upstreams.stream import Stream

# Seconds until a silent call's headers go out, as an event stream: proxies on the way would give up.
_QUIET_SECONDS = 15.0
# Event ids that are given out here: the stream's number, and how many of its messages were seen.
_EVENT_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")
_RESUMABLE = "2025-11-25"


class _Posted(Struct, frozen=True):
    """A message that came by POST."""

    server: Server
    addressed: Addressed
    body: bytes
    headers: dict[str, str]

    @property
    def is_resumable(self) -> bool:
        """Whether the client may come back for the answer (MCP 2025-11-25)."""
        return self.headers.get("mcp-protocol-version", "") >= _RESUMABLE


class StdioServers:
    """All servers with a command."""

    def __init__(self, now: Callable[[], float], start: StartChild | None = None) -> None:
        """`now` is a monotonic clock; `start` starts a server's process, else as configured."""
        self._pool = Pool(now, start) if start else Pool(now)

    async def send(
        self, method: str, server: Server, lines: HeaderLines, body: bytes | None, caller: str
    ) -> Answer:
        """The answer to one HTTP request; raises `NeverReachedError` or `LostError`."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in lines}
        reply_to: ReplyTo = None
        try:
            _check_once(lines)
            if method == "GET":
                return self._listen(server, headers, caller)
            if method == "DELETE":
                return await self._delete(server, headers, caller)
            posted = _Posted(server, _read(body or b""), body or b"", headers)
            reply_to = posted.addressed.id if posted.addressed.is_request else NO_REPLY
            if is_modern(headers):
                return await self._modern(posted, caller)
            return await self._legacy(posted, caller)
        except Refusal as fault:
            return refused(reply_to, fault)

    def take_over(self, servers: Sequence[Server]) -> None:
        """Use these servers from now on."""
        self._pool.take_over(servers)

    async def close(self) -> None:
        """End every child."""
        await self._pool.close()

    async def sweep(self) -> None:
        """End processes that have not been used for long; never returns."""
        await self._pool.sweep()

    async def _legacy(self, posted: _Posted, caller: str) -> Answer:
        session_id = posted.headers.get("mcp-session-id", "")
        if posted.addressed.method == "initialize":
            if session_id:
                raise InvalidRequest("initialize begins a session, so it names none")
            session_id = secrets.token_hex(16)
            key = ChildKey(LEGACY, posted.server.name, caller, session_id)
            conversation = await self._begin(key, posted.server)
        else:
            conversation = self._session(posted.server, posted.headers, caller)
        session = ((b"mcp-session-id", session_id.encode()),)
        if not posted.addressed.is_request:
            await conversation.tell(posted.body, posted.addressed)
            return WholeAnswer(202, (*session, (b"content-length", b"0")), b"")
        keeps = posted.is_resumable
        stream = await conversation.ask(posted.body, posted.addressed, keeps=keeps)
        poll_seconds = posted.server.poll_ms / 1000
        return EventAnswer(conversation, stream, session, primes=keeps, poll_seconds=poll_seconds)

    async def _begin(self, key: ChildKey, server: Server) -> ChildConversation:
        """Begin a session, and end it when the request is cancelled: its client never learns the id."""
        try:
            return await self._pool.open(key, server)
        except asyncio.CancelledError:
            self._pool.retire_soon(key)
            raise

    async def _modern(self, posted: _Posted, caller: str) -> Answer:
        addressed = posted.addressed
        if addressed.is_answer:
            raise InvalidRequest("a client of this version answers no requests")
        key = ChildKey(MODERN, posted.server.name, caller)
        conversation = await self._pool.open(key, posted.server)
        if not addressed.is_request:
            await conversation.tell(posted.body, addressed)
            return WholeAnswer(202, ((b"content-length", b"0"),), b"")
        if addressed.method == "tools/call":
            await check_parameters(conversation, posted.body, posted.headers)
        stream = await conversation.ask(posted.body, addressed)
        try:
            whole = await _whole(stream)
        except BaseException:
            conversation.leave(stream)
            raise
        if whole is None:
            return EventAnswer(conversation, stream, ())
        conversation.leave(stream)
        return whole

    def _listen(self, server: Server, headers: dict[str, str], caller: str) -> Answer:
        """Answer a GET with the server's own stream, or a stream that the client comes back to."""
        if is_modern(headers) or "text/event-stream" not in headers.get("accept", ""):
            raise VerbNotAllowed("Method Not Allowed")
        conversation = self._session(server, headers, caller)
        stream, seen = conversation.own, conversation.own.told_count
        if "last-event-id" in headers:
            stream, seen = _resumed(conversation, headers["last-event-id"])
        session = ((b"mcp-session-id", headers["mcp-session-id"].encode()),)
        primes = headers.get("mcp-protocol-version", "") >= _RESUMABLE
        stream.readers += 1
        return EventAnswer(conversation, stream, session, seen=seen, primes=primes)

    async def _delete(self, server: Server, headers: dict[str, str], caller: str) -> Answer:
        self._session(server, headers, caller)
        key = ChildKey(LEGACY, server.name, caller, headers["mcp-session-id"])
        await self._pool.retire(key)
        return WholeAnswer(200, ((b"content-length", b"0"),), b"")

    def _session(self, server: Server, headers: dict[str, str], caller: str) -> ChildConversation:
        session_id = headers.get("mcp-session-id", "")
        if not session_id:
            raise InvalidRequest("Bad Request: Missing session ID")
        conversation = self._pool.find(ChildKey(LEGACY, server.name, caller, session_id))
        if conversation is None:
            raise SessionNotFound("Session not found")
        return conversation


async def _whole(stream: Stream) -> Answer | None:
    """The answer as one JSON message, `None` when there are more messages, or none comes soon."""
    first = await next_message(stream, 0, _QUIET_SECONDS)
    if first is None or not stream.is_whole(first[0]):
        return None
    return WholeAnswer.of(head_status(first[1]), first[1])


def _resumed(conversation: ChildConversation, event_id: str) -> tuple[Stream, int]:
    """The stream that the client comes back to, and how many of its messages it has seen."""
    match = _EVENT_ID.fullmatch(event_id)
    stream = conversation.kept(int(match[1]), int(match[2])) if match else None
    if match is None or stream is None:
        raise InvalidRequest("no stream has that Last-Event-ID")
    return stream, int(match[2])


def _read(body: bytes) -> Addressed:
    try:
        return read(body)
    except ValueError as error:
        raise InvalidRequest(f"the message cannot be read: {error}") from error


def _check_once(lines: HeaderLines) -> None:
    """Refuse repeated header lines, of which readers take the first or the last."""
    names = [
        name for name, _ in lines if name.startswith(b"mcp-param-") or name == b"last-event-id"
    ]
    if len(set(names)) < len(names):
        raise HeaderMismatch("an Mcp-Param or a Last-Event-ID header appears more than once")


def is_modern(headers: dict[str, str]) -> bool:
    """Whether the header lines are those of a modern request."""
    version = headers.get("mcp-protocol-version", "")
    return bool(version) and version not in HANDSHAKE_VERSIONS
