"""Servers that speak stdio, behind the same URL as others: Streamable HTTP on one side, children on the other.

One child per legacy session and one per caller in the modern era, started by configuration alone:
nothing of a request reaches the command line or the environment. Judging is not done here; what
comes here has been allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable

import structlog
from msgspec import Struct

from pdp.lifelong import heard
from pep import child
from pep.config import Server
from pep.conversation import Conversation, Said, read
from pep.errors import HeaderMismatch, InvalidRequest, Refusal, SessionNotFound, VerbNotAllowed
from pep.headers import HANDSHAKE_VERSIONS, Lines
from pep.methods import LEGACY, MODERN
from pep.mirrored import check_parameters
from pep.ports import Answer, LostError, NeverReachedError
from pep.replies import EventAnswer, WholeAnswer, head_status, refused

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL", "TERM")
_SWEEP_SECONDS = 1.0
# A silent call's headers go out after so long, as an event stream: proxies on the way give up else.
_QUIET_SECONDS = 15.0

log = structlog.get_logger("pep.child")

_Key = tuple[str, str]


class _Posted(Struct, frozen=True):
    """A message that came by POST."""

    server: Server
    said: Said
    body: bytes
    lines: dict[str, str]


class Bridge:
    """All servers with a command."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is a monotonic clock."""
        self._now = now
        self._open: dict[_Key, Conversation] = {}
        self._hearing: dict[_Key, asyncio.Task[None]] = {}
        self._starting = asyncio.Lock()
        self._sweeping = heard("idle servers ended", asyncio.ensure_future(self._sweep()))
        self._idle_after: dict[str, int] = {}

    async def send(
        self, method: str, server: Server, lines: Lines, body: bytes | None, caller: str
    ) -> Answer:
        """The answer to one HTTP request; raises `NeverReachedError` or `LostError`."""
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in lines}
        try:
            _check_once(lines)
            if method == "GET":
                return await self._listen(server, told)
            if method == "DELETE":
                return await self._delete(server, told)
            posted = _Posted(server, read(body or b""), body or b"", told)
            if is_modern(told):
                return await self._modern(posted, caller)
            return await self._legacy(posted)
        except Refusal as fault:
            return refused(fault)

    async def close(self) -> None:
        """End every child."""
        self._sweeping.cancel()
        await asyncio.gather(*(self._end(key) for key in list(self._open)))

    async def _legacy(self, posted: _Posted) -> Answer:
        given = posted.lines.get("mcp-session-id", "")
        if posted.said.method == "initialize" and not given:
            given = secrets.token_hex(16)
            await self._start((posted.server.name, given), posted.server, LEGACY)
        conversation = self._found(posted.server, given)
        session = ((b"mcp-session-id", given.encode()),)
        if not posted.said.method or posted.said.id is None:
            await conversation.tell(posted.body)
            return WholeAnswer(202, (*session, (b"content-length", b"0")), b"")
        stream = await conversation.ask(posted.body)
        version = posted.lines.get("mcp-protocol-version", "")
        return EventAnswer(
            conversation, stream, session,
            primes=version >= "2025-11-25", poll_seconds=posted.server.poll_ms / 1000,
        )  # fmt: skip

    async def _modern(self, posted: _Posted, caller: str) -> Answer:
        key = (posted.server.name, f"modern {caller}")
        async with self._starting:
            if key not in self._open:
                await self._start_now(key, posted.server, MODERN)
        conversation = self._used(key)
        if posted.said.id is None:
            await conversation.tell(posted.body)
            return WholeAnswer(202, ((b"content-length", b"0"),), b"")
        if posted.said.method == "tools/call":
            await check_parameters(conversation, posted.body, posted.lines)
        stream = await conversation.ask(posted.body)
        try:
            first = await stream.after(0, _QUIET_SECONDS)
        except asyncio.CancelledError:
            conversation.leave(stream)
            raise
        if first is not None and stream.is_done and (await stream.after(first[0], 0)) is None:
            return WholeAnswer.of(head_status(first[1]), first[1])
        return EventAnswer(conversation, stream, ())

    async def _listen(self, server: Server, told: dict[str, str]) -> Answer:
        """GET: the server's own stream, or one that the client comes back to."""
        if is_modern(told) or "text/event-stream" not in told.get("accept", ""):
            raise VerbNotAllowed("Method Not Allowed")
        conversation = self._found(server, told.get("mcp-session-id", ""))
        number, _, seen = told.get("last-event-id", "0-0").partition("-")
        stream = conversation.kept(int(number)) if number.isdigit() and seen.isdigit() else None
        if stream is None:
            raise InvalidRequest("no stream has that Last-Event-ID")
        session = ((b"mcp-session-id", told["mcp-session-id"].encode()),)
        is_new = told.get("mcp-protocol-version", "") >= "2025-11-25"
        return EventAnswer(conversation, stream, session, seen=int(seen), primes=is_new)

    async def _delete(self, server: Server, told: dict[str, str]) -> Answer:
        given = told.get("mcp-session-id", "")
        self._found(server, given)
        await self._end((server.name, given))
        return WholeAnswer(200, ((b"content-length", b"0"),), b"")

    def _found(self, server: Server, session: str) -> Conversation:
        if not session:
            raise InvalidRequest("Bad Request: Missing session ID")
        if (server.name, session) not in self._open:
            raise SessionNotFound("Session not found")
        return self._used((server.name, session))

    def _used(self, key: _Key) -> Conversation:
        conversation = self._open[key]
        conversation.used_at = self._now()
        return conversation

    async def _start(self, key: _Key, server: Server, era: str) -> None:
        async with self._starting:
            await self._start_now(key, server, era)

    async def _start_now(self, key: _Key, server: Server, era: str) -> None:
        await self._make_room(server)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        one = await child.start(
            server.name, server.command, {**inherited, **server.environment}, keep_stderr=True
        )
        self._idle_after[server.name] = server.idle_seconds
        conversation = self._open[key] = Conversation(one, era, self._now())
        hearing = asyncio.ensure_future(self._hear(key, conversation))
        self._hearing[key] = heard("a server heard", hearing)

    async def _hear(self, key: _Key, conversation: Conversation) -> None:
        try:
            await conversation.hear()
        finally:
            if self._open.get(key) is conversation:
                del self._open[key]
                self._hearing.pop(key, None)
                log.warning("server ended by itself", server=key[0], pid=conversation.child.pid)
                await conversation.child.end()

    async def _make_room(self, server: Server) -> None:
        """One more must fit; raises `NeverReachedError` when all are in use."""
        mine = [(key, one) for key, one in self._open.items() if key[0] == server.name]
        if len(mine) < server.max_processes:
            return
        idle = [(one.used_at, key) for key, one in mine if one.is_idle]
        if not idle:
            raise NeverReachedError(f"all {server.max_processes} processes are in use")
        await self._end(min(idle)[1])

    async def _sweep(self) -> None:
        """End what nobody has used for long."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._now()
            for key, one in list(self._open.items()):
                if one.is_idle and now - one.used_at > self._idle_after[key[0]]:
                    log.info("idle server ended", server=key[0], pid=one.child.pid)
                    await self._end(key)

    async def _end(self, key: _Key) -> None:
        conversation = self._open.pop(key, None)
        hearing = self._hearing.pop(key, None)
        if conversation is None:
            return
        await conversation.child.end()
        if hearing is not None:
            with contextlib.suppress(LostError):
                await hearing


def _check_once(lines: Lines) -> None:
    """A parameter that two header lines tell would be read by the first or by the last."""
    names = [name for name, _ in lines if name.startswith(b"mcp-param-")]
    if len(set(names)) < len(names):
        raise HeaderMismatch("an Mcp-Param header appears more than once")


def is_modern(told: dict[str, str]) -> bool:
    """Whether the header lines are those of a modern request."""
    version = told.get("mcp-protocol-version", "")
    return bool(version) and version not in HANDSHAKE_VERSIONS
