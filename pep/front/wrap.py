"""Judges both directions of one stdio connection between a client and the server it would start.

Lines go on as they came, or are answered here. Lines that need no decision keep their order; a
request waits for its decision without holding up the others, and can be cancelled meanwhile. An
answer of either side goes on only when the other side has made the request, the request has gone on,
and it has no answer yet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from pdp.api.model import Call, Client, Principal, Protocol, Session
from pep.callers.session import LegacySession
from pep.choices import DenialStyle, ToolNames
from pep.errors import BodyTooLarge, InvalidRequest, Refusal
from pep.judge import call
from pep.judge.enforce import Refuse
from pep.judge.hold import Hold, Listener, progress_token
from pep.judge.holding import Plan
from pep.judge.parts import JudgeParts
from pep.judge.response_filter import ResponseFilter
from pep.judge.server_requests import Holder, ServerRequests, Shown
from pep.judge.turn import Turn
from pep.load.large_work import LARGE_BYTES
from pep.load.room import Holding
from pep.mcp.addressing import Addressed, read_line
from pep.mcp.admit import Admitted, admit_line, check_name
from pep.mcp.headers import VERSION_KEY, RequestHeaders
from pep.mcp.jsonrpc import (
    NO_REPLY,
    Id,
    Notification,
    ReplyTo,
    Request,
    Response,
    open_envelope,
    read,
    render_error,
)
from pep.mcp.lines import MAX_LINE, is_one
from pep.mcp.methods import LEGACY, Target
from pep.ports import LostError
from tipstaff.common.lifelong import heard

Write = Callable[[bytes], Awaitable[None]]
_CANCELLED = "notifications/cancelled"
_MOST_REFUSALS = 256

log = structlog.get_logger("pep.wrap")


class Place(Struct, frozen=True):
    """The caller and the server of the connection, how refusals are shown, how long calls are held, and how many."""

    server: str
    principal: Principal
    session: Session
    denial: DenialStyle = "result"
    tool_names: ToolNames = "strict"
    hold_seconds: int = 0
    max_holding: int = 256


class _Pending(Struct):
    """A request that has no answer yet; `deciding` until it has a decision."""

    request: Request
    call: Call
    turn: Turn
    deciding: asyncio.Task[None] | None = None


class Wrap:
    """One connection."""

    def __init__(self, parts: JudgeParts, place: Place, to_client: Write, to_server: Write) -> None:
        """`to_client` and `to_server` write one line each."""
        self._parts = parts
        self._place = place
        self._to_client = to_client
        self._to_server = to_server
        self._pending: dict[Id, _Pending] = {}
        self._server_requests = ServerRequests()
        self._holder = Holder(place.server, place.principal.id)
        self._legacy_session: LegacySession | None = None
        self._version = ""
        self._holding = Holding(place.max_holding)
        self._answers: set[asyncio.Task[None]] = set()

    async def from_client(self, line: bytes | None) -> None:
        """Handle one line of the client, `None` for one that was too long."""
        reply_to: ReplyTo = None
        try:
            if line is None:
                raise BodyTooLarge(f"The line is longer than {MAX_LINE} bytes")
            if not is_one(line):
                raise InvalidRequest("a message is one line: no CR in it")
            envelope = open_envelope(line)
            reply_to = envelope.reply_to
            message = read(envelope)
            admitted = admit_line(message)
            check_name(admitted, self._place.tool_names)
            await self._admitted(line, admitted)
        except Refusal as fault:
            log.info("refused", server=self._place.server, code=fault.code, reason=fault.message)
            if reply_to is not NO_REPLY:
                await self._to_client(render_error(reply_to, fault))

    async def from_server(self, line: bytes | None) -> None:
        """Handle one line of the server, `None` for one that was too long."""
        try:
            addressed = read_line(line)
        except ValueError as error:
            text = (line or b"")[:200].decode(errors="replace")
            log.warning("line of the server dropped: no message", reason=str(error), text=text)
            return
        assert line is not None  # noqa: S101 - it was read
        pending = self._answered(addressed) if addressed.is_answer else None
        if addressed.is_answer and pending is None:
            log.warning("answer of the server dropped: to no request that is under way")
            return
        try:
            shown = await self._response_filter(pending).filter(line)
        except Refusal as fault:
            log.warning("message not shown", code=fault.code, reason=fault.message)
            shown = render_error(pending.request.id, fault) if pending else b""
        if shown:
            await self._to_client(shown)

    async def settle(self) -> None:
        """Wait until the client's requests are decided and handed on, once its input has ended."""
        await asyncio.gather(*self._deciding(), return_exceptions=True)

    async def close(self) -> None:
        """Drop requests that wait for a decision, once the connection has ended."""
        tasks = [*self._deciding(), *self._answers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pending in self._pending.values():
            pending.turn.end()

    def _deciding(self) -> list[asyncio.Task[None]]:
        return [pending.deciding for pending in self._pending.values() if pending.deciding]

    async def _admitted(self, line: bytes, admitted: Admitted) -> None:
        message = admitted.message
        if isinstance(message, Response):
            if not self._server_requests.answer(self._holder, message.id):
                log.warning("answer of the client dropped: to no request that it was shown")
                return
        elif isinstance(message, Notification) and message.method == _CANCELLED:
            if self._has_cancelled_here(message):
                return
        elif isinstance(message, Request):
            self._begin(line, message, admitted)
            if admitted.is_judged:
                return
        await self._to_server(line)

    def _begin(self, line: bytes, request: Request, admitted: Admitted) -> None:
        if request.id in self._pending:
            raise InvalidRequest("a request with this id is under way")
        if request.method == "initialize":
            client = call.client_of("initialize", request.params, {})
            self._legacy_session = LegacySession(self._place.principal.id, client)
        turn = Turn(self._parts.decisions, self._place.denial)
        pending = _Pending(request, self._call(admitted), turn)
        self._version = pending.call.protocol.version or self._version
        if admitted.row is not None and admitted.row.target is Target.TASK:
            self._parts.tasks.check(self._place.server, admitted.target, self._place.principal)
        self._pending[request.id] = pending
        if admitted.is_judged:
            deciding = asyncio.ensure_future(self._decide(line, pending))
            pending.deciding = heard("a call decided", deciding)

    async def _decide(self, line: bytes, pending: _Pending) -> None:
        hold = self._hold(pending.request) if len(line) <= LARGE_BYTES else None
        verdict = await pending.turn.decide(pending.call, pending.request, hold)
        pending.deciding = None
        if isinstance(verdict, Refuse):
            self._pending.pop(pending.request.id, None)
            await self._to_client(verdict.body)
            return
        with contextlib.suppress(LostError):
            await self._to_server(line)

    def _hold(self, request: Request) -> Hold | None:
        """How the request is held while people are asked: with progress alone, as a line is a message."""
        seconds = self._place.hold_seconds
        if not seconds:
            return None
        plan = Plan(seconds, takes_events=False, progress_token=progress_token(request))
        listener = Listener(_no_comment, self._to_client)
        return Hold(self._parts.decisions, self._parts.new_id, plan, listener, self._holding)

    def _has_cancelled_here(self, message: Notification) -> bool:
        """Whether the cancelled request still waited for its decision: then neither message goes on.

        Otherwise the server is not to answer the request any more, so its call has ended too.
        """
        request_id = message.params.get("requestId")
        if isinstance(request_id, bool) or not isinstance(request_id, str | int):
            return False
        pending = self._pending.pop(request_id, None)
        if pending is None:
            return False
        if pending.deciding is None:
            pending.turn.end()
            return False
        pending.deciding.cancel()
        return True

    def _answered(self, answer: Addressed) -> _Pending | None:
        """The request that the server answers, whose call ends here; `None` when there is no such request."""
        assert answer.id is not None  # noqa: S101 - an answer has one
        pending = self._pending.get(answer.id)
        if pending is None or pending.deciding is not None:
            return None  # the server cannot have answered a request that has not gone on yet
        del self._pending[answer.id]
        pending.turn.end()
        return pending

    def _call(self, admitted: Admitted) -> Call:
        meta = call.meta(admitted.message)
        return call.build(
            admitted,
            RequestHeaders(version=str(meta.get(VERSION_KEY, ""))),
            request_id=self._parts.new_id(),
            server=self._place.server,
            principal=self._place.principal,
            session=self._place.session,
            legacy_session=self._legacy_session,
            transport="stdio",
        )

    def _response_filter(self, pending: _Pending | None) -> ResponseFilter:
        return ResponseFilter(
            self._parts,
            pending.call if pending else self._listening(),
            request=pending.request if pending else None,
            denial=self._place.denial,
            answer_server=self._answer_server,
            shown=Shown(self._server_requests, self._holder),
        )

    def _listening(self) -> Call:
        """The call for a message that the server sends by itself."""
        return Call(
            request_id=self._parts.new_id(),
            server=self._place.server,
            method="",
            target="",
            arguments=b"{}",
            principal=self._place.principal,
            session=self._place.session,
            client=self._legacy_session.client if self._legacy_session else Client(),
            protocol=Protocol(LEGACY, self._version),
            transport="stdio",
        )

    def _answer_server(self, body: bytes) -> None:
        if len(self._answers) >= _MOST_REFUSALS:
            log.warning("server not told: it does not read what it is sent")
            return
        task = heard("the server answered", asyncio.ensure_future(self._to_server(body)))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)


async def _no_comment(text: str) -> None:
    """There are no comments between lines."""
    del text
