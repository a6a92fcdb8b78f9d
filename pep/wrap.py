"""Judges both directions of one stdio connection between a client and the server it would start.

Lines go on as they came, or are answered here. Those that need no decision keep their order; a
request waits for its decision without holding up the others, and a cancellation finds it there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from msgspec import Struct

from pdp.api.model import Call, Client, Decision, Effect, Principal, Protocol, Session
from pdp.lifelong import heard
from pep import call
from pep.admit import Admitted, ToolNames, admit_line, check_name
from pep.enforce import DenialStyle, Forward, enforce
from pep.errors import BodyTooLarge, InvalidRequest, Refusal
from pep.headers import VERSION_KEY, Front
from pep.jsonrpc import Id, Notification, Request, parse, render_error
from pep.lines import MAX_LINE, is_one
from pep.methods import LEGACY, Target
from pep.ports import LostError
from pep.screen import Bench, Screen
from pep.session import Learnt

Write = Callable[[bytes], Awaitable[None]]
_CANCELLED = "notifications/cancelled"

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


class _Said(Struct):
    """As much of a server's message as tells which request it answers."""

    id: Id | None = None
    method: str | None = None


_read = msgspec.json.Decoder(_Said).decode


class Wrap:
    """One connection."""

    def __init__(self, bench: Bench, place: Place, to_client: Write, to_server: Write) -> None:
        """`to_client` and `to_server` write one line each."""
        self._bench = bench
        self._place = place
        self._to_client = to_client
        self._to_server = to_server
        self._pending: dict[tuple[type, Id], _Pending] = {}
        self._learnt: Learnt | None = None
        self._version = ""
        self._answers: set[asyncio.Task[None]] = set()

    async def from_client(self, line: bytes | None) -> None:
        """One line of the client, `None` for one that was too long."""
        request_id: Id | None = None
        try:
            if line is None:
                raise BodyTooLarge(f"The line is longer than {MAX_LINE} bytes")
            if not is_one(line):
                raise InvalidRequest("a message is one line: no CR in it")
            message = parse(line)
            request_id = message.id if isinstance(message, Request) else None
            admitted = admit_line(message)
            check_name(admitted, self._place.tool_names)
            await self._admitted(line, admitted)
        except Refusal as fault:
            log.info("refused", server=self._place.server, code=fault.code, reason=fault.message)
            await self._to_client(render_error(request_id, fault))

    async def from_server(self, line: bytes | None) -> None:
        """One line of the server."""
        if line is None or not is_one(line):
            log.warning("line of the server dropped: too long, or more than one")
            return
        try:
            said = _read(line)
        except msgspec.DecodeError:
            log.warning(
                "line of the server dropped: no message", text=line[:200].decode(errors="replace")
            )
            return
        answered = self._answered(said)
        try:
            passed = await self._screen(answered).message(line)
        except Refusal as fault:
            log.warning("message not shown", code=fault.code, reason=fault.message)
            passed = (
                render_error(said.id, fault) if said.id is not None and not said.method else b""
            )
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
        if isinstance(message, Notification) and message.method == _CANCELLED:
            if self._dropped(message):
                return
        elif isinstance(message, Request):
            self._begin(line, message, admitted)
            if admitted.is_judged:
                return
        await self._to_server(line)

    def _begin(self, line: bytes, request: Request, admitted: Admitted) -> None:
        key = (type(request.id), request.id)
        if key in self._pending:
            raise InvalidRequest("a request with this id is under way")
        if request.method == "initialize":
            client = call.client_of("initialize", request.params, {})
            self._learnt = Learnt(self._place.principal.id, client)
        pending = _Pending(request, self._call(admitted))
        self._version = pending.asked.protocol.version or self._version
        if admitted.row is not None and admitted.row.target is Target.TASK:
            self._bench.tasks.check(self._place.server, admitted.target, self._place.principal)
        self._pending[key] = pending
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
        self._pending.pop((type(pending.request.id), pending.request.id), None)
        await self._to_client(verdict.body)

    def _dropped(self, message: Notification) -> bool:
        """Whether what is cancelled was still waiting here: then neither goes on."""
        named = message.params.get("requestId")
        pending = self._pending.get((type(named), named)) if isinstance(named, str | int) else None
        if pending is None or pending.deciding is None or named is None:
            return False
        pending.deciding.cancel()
        del self._pending[type(named), named]
        return True

    def _answered(self, said: _Said) -> _Pending | None:
        """The request that a message answers; it is under way no longer."""
        if said.method is not None or said.id is None:
            return None
        pending = self._pending.pop((type(said.id), said.id), None)
        if pending is not None and pending.decision is not None:
            self._bench.decisions.finish_soon(pending.decision)
        return pending

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
        task = heard("the server answered", asyncio.ensure_future(self._to_server(body)))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)
