"""Judges both directions of one stdio connection between a client and the server it would start.

Lines go on as they came, or are answered here. Those that need no decision keep their order; a
request waits for its decision without holding up the others, and a cancellation finds it there.
Either side's answer goes on only to a request that the other has made, that has gone on, and that has
no answer yet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from pdp.api.model import Call, Client, Decision, Effect, Principal, Protocol, Session
from pep.callers.session import Learnt
from pep.choices import DenialStyle, ToolNames
from pep.errors import BodyTooLarge, InvalidRequest, Refusal
from pep.judge import call
from pep.judge.enforce import Forward, enforce
from pep.judge.response_filter import Bench, Screen
from pep.judge.server_requests import Holder, ServerRequests, Shown
from pep.mcp.addressing import Addressed, read_line
from pep.mcp.admit import Admitted, admit_line, check_name
from pep.mcp.headers import VERSION_KEY, Front
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
    """Who calls which server here, and how refusals are shown."""

    server: str
    principal: Principal
    session: Session
    denial: DenialStyle = "result"
    tool_names: ToolNames = "strict"


class _Pending(Struct):
    """A request that has no answer yet; `deciding` until it has a decision."""

    request: Request
    asked: Call
    deciding: asyncio.Task[None] | None = None
    decision: Decision | None = None


class Wrap:
    """One connection."""

    def __init__(self, bench: Bench, place: Place, to_client: Write, to_server: Write) -> None:
        """`to_client` and `to_server` write one line each."""
        self._bench = bench
        self._place = place
        self._to_client = to_client
        self._to_server = to_server
        self._pending: dict[Id, _Pending] = {}
        self._server_requests = ServerRequests()
        self._holder = Holder(place.server, place.principal.id)
        self._learnt: Learnt | None = None
        self._version = ""
        self._answers: set[asyncio.Task[None]] = set()

    async def from_client(self, line: bytes | None) -> None:
        """One line of the client, `None` for one that was too long."""
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
        """One line of the server."""
        try:
            addressed = read_line(line)
        except ValueError as error:
            text = (line or b"")[:200].decode(errors="replace")
            log.warning("line of the server dropped: no message", reason=str(error), text=text)
            return
        assert line is not None  # noqa: S101 - it was read
        answered = self._answered(addressed) if addressed.is_answer else None
        if addressed.is_answer and answered is None:
            log.warning("answer of the server dropped: to no request that is under way")
            return
        try:
            passed = await self._screen(answered).message(line)
        except Refusal as fault:
            log.warning("message not shown", code=fault.code, reason=fault.message)
            passed = render_error(answered.request.id, fault) if answered else b""
        if passed:
            await self._to_client(passed)

    async def settle(self) -> None:
        """The client says no more: see what it has asked decided, and handed on."""
        waiting = [one.deciding for one in self._pending.values() if one.deciding]
        await asyncio.gather(*waiting, return_exceptions=True)

    async def close(self) -> None:
        """The connection has ended: nothing is made any more of what waits."""
        tasks = [one.deciding for one in self._pending.values() if one.deciding]
        for task in [*tasks, *self._answers]:
            task.cancel()
        await asyncio.gather(*tasks, *self._answers, return_exceptions=True)
        for one in self._pending.values():
            if one.decision is not None:
                self._bench.decisions.finish_soon(one.decision)

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
            self._learnt = Learnt(self._place.principal.id, client)
        pending = _Pending(request, self._call(admitted))
        self._version = pending.asked.protocol.version or self._version
        if admitted.row is not None and admitted.row.target is Target.TASK:
            self._bench.tasks.check(self._place.server, admitted.target, self._place.principal)
        self._pending[request.id] = pending
        if admitted.is_judged:
            deciding = asyncio.ensure_future(self._decide(line, pending))
            pending.deciding = heard("a call decided", deciding)

    async def _decide(self, line: bytes, pending: _Pending) -> None:
        decision = await self._bench.decisions.decide(pending.asked)
        era = pending.asked.protocol.era
        verdict = enforce(pending.request, decision, era=era, denial=self._place.denial)
        pending.deciding = None
        if isinstance(verdict, Forward):
            pending.decision = decision
            with contextlib.suppress(LostError):
                await self._to_server(line)
            return
        if decision.effect is Effect.ALLOW:
            self._bench.decisions.refund_soon(decision)
        self._pending.pop(pending.request.id, None)
        await self._to_client(verdict.body)

    def _has_cancelled_here(self, message: Notification) -> bool:
        """Whether what is cancelled was still waiting here: then neither goes on.

        Otherwise the server is not to answer it any more, so it is under way no longer either.
        """
        named = message.params.get("requestId")
        if isinstance(named, bool) or not isinstance(named, str | int):
            return False
        pending = self._pending.pop(named, None)
        if pending is None:
            return False
        if pending.deciding is None:
            self._finish(pending)
            return False
        pending.deciding.cancel()
        return True

    def _answered(self, answer: Addressed) -> _Pending | None:
        """The request that a server answers; it is under way no longer."""
        assert answer.id is not None  # noqa: S101 - an answer has one
        pending = self._pending.get(answer.id)
        if pending is None or pending.deciding is not None:
            return None  # what has not gone on yet cannot have been answered
        del self._pending[answer.id]
        self._finish(pending)
        return pending

    def _finish(self, pending: _Pending) -> None:
        if pending.decision is not None:
            self._bench.decisions.finish_soon(pending.decision)

    def _call(self, admitted: Admitted) -> Call:
        meta = call.meta(admitted.message)
        return call.build(
            admitted,
            Front(version=str(meta.get(VERSION_KEY, ""))),
            request_id=self._bench.new_id(),
            server=self._place.server,
            principal=self._place.principal,
            session=self._place.session,
            learnt=self._learnt,
            transport="stdio",
        )

    def _screen(self, answered: _Pending | None) -> Screen:
        asked = answered.asked if answered else self._listening()
        return Screen(
            self._bench,
            asked,
            request=answered.request if answered else None,
            denial=self._place.denial,
            answer_server=self._answer_server,
            shown=Shown(self._server_requests, self._holder),
        )

    def _listening(self) -> Call:
        """Who hears what the server says unasked."""
        return Call(
            request_id=self._bench.new_id(),
            server=self._place.server,
            method="",
            target="",
            arguments=b"{}",
            principal=self._place.principal,
            session=self._place.session,
            client=self._learnt.client if self._learnt else Client(),
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
