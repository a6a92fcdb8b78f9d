"""The caller of a request, its agent session, and the call that is judged.

It reads headers and the books of sessions, but forwards nothing and answers nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, structs

from pdp.api.model import Call, Principal, Reason, Session
from pep.callers import session
from pep.callers.authentication import Callers
from pep.callers.metadata import challenge
from pep.callers.session import LegacySession, SessionBook
from pep.config import PepConfig, Server
from pep.errors import (
    AnswerUnasked,
    CredentialInvalid,
    CredentialMissing,
    Refusal,
    SessionNotFound,
)
from pep.front.held_answer import HeldAnswer
from pep.front.held_request import hold_of
from pep.judge import call
from pep.judge.hold import Hold
from pep.judge.parts import JudgeParts
from pep.judge.refusals import Refusals
from pep.judge.rounds import Leg, Round, Rounds
from pep.judge.server_requests import Holder, ServerRequests
from pep.load.background import Background
from pep.load.room import Room
from pep.mcp.admit import Admitted
from pep.mcp.headers import RequestHeaders, header_era
from pep.mcp.jsonrpc import Id, Request, Response
from pep.mcp.methods import LEGACY
from pep.ports import Answer, Decisions, Upstreams


class ExchangeParts(Struct, frozen=True):
    """What every exchange uses."""

    config: PepConfig
    decisions: Decisions
    upstreams: Upstreams
    sessions: SessionBook
    server_requests: ServerRequests
    callers: Callers
    judging: JudgeParts
    background: Background
    room: Room
    refusals: Refusals
    new_id: Callable[[], str]
    rounds: Rounds


class RequestCaller:
    """The caller of one request."""

    def __init__(self, parts: ExchangeParts, server: Server, scope: dict[str, Any]) -> None:
        """`front` is set once the header lines have been read."""
        self._parts = parts
        self._server = server
        self._scope = scope
        self._principal: Principal | None = None
        self._round = Round()
        self._answered: Id | None = None
        self.headers = RequestHeaders()

    @property
    def principal(self) -> Principal:
        """The authenticated caller, after `authenticate`."""
        assert self._principal is not None  # noqa: S101 - whoever comes here was authenticated
        return self._principal

    async def authenticate(self) -> None:
        """Authenticate the caller. A refusal is recorded, and names where to get a token (RFC 6750, RFC 9728)."""
        config, server = self._parts.config, self._server
        try:
            self._principal = await self._parts.callers.principal(
                server, self._scope, self.headers.authorization
            )
        except (CredentialMissing, CredentialInvalid) as fault:
            fault.lines = ((b"www-authenticate", challenge(config, server, fault)),)
            self._report(fault)
            raise

    def legacy_session(self) -> LegacySession | None:
        """What is known of the legacy session; raises `SessionNotFound` when it is not the caller's.

        An anonymous caller may go on with a session that is not known, as after a restart of the proxy:
        the upstream knows it, and it could not have been bound to anybody.
        """
        server, given = self._server, self.headers.session
        if header_era(self.headers) != LEGACY or not given:
            return None
        try:
            legacy_session = self._parts.sessions.find(server.name, given, self.principal)
            if legacy_session is None and self._parts.config.accepted(server) != ("anonymous",):
                raise SessionNotFound("Session not found")
        except SessionNotFound as fault:
            self._report(fault)
            raise
        return legacy_session

    @contextlib.contextmanager
    def under_way_once(self, request_id: Id | None) -> Iterator[None]:
        """Hold the request's id: two requests with one id could get each other's answers (JSON-RPC 2.0 section 4)."""
        session_id = self.headers.session if header_era(self.headers) == LEGACY else ""
        if not session_id or request_id is None:
            yield
            return
        exchanged = (self._server.name, session_id, type(request_id), request_id)
        self._parts.sessions.begin(exchanged)
        try:
            yield
        finally:
            self._parts.sessions.end(exchanged)

    async def take_answer(self, answer: Response) -> None:
        """Take an answer to a request that the client was shown and has not answered; raises `AnswerUnasked`."""
        holder = self.holder(self.headers.session)
        if self._parts.server_requests.answer(holder, answer.id):
            self._answered = answer.id
            return
        # Without a session any worker may have shown it.
        workers = self._parts.judging.workers
        if holder.session or not await workers.ask_answer(holder, answer.id):
            raise AnswerUnasked("No request of the server with this id waits for an answer")

    def answer_again(self) -> None:
        """Let the client answer again, as its answer did not reach the server."""
        if self._answered is not None:
            self._parts.server_requests.reopen(self.holder(self.headers.session), self._answered)
            self._answered = None

    def hold(self, client: HeldAnswer, request: Request) -> Hold | None:
        """How `request` is held while people are asked; `None` when it is not."""
        return hold_of(
            self._parts.config,
            self._server,
            self.principal.id,
            decisions=self._parts.decisions,
            new_id=self._parts.new_id,
            client=client,
            places=self._parts.room.holding,
            request=request,
            lines=self._scope["headers"],
            leg=Leg(self._parts.rounds, self._server.approval_rounds, self._round),
        )

    def resume(self, call: Call, state: str) -> Call:
        """The call that goes on in this request, by the state of the round before; raises `InvalidParams`."""
        self._round = self._parts.rounds.read(state, call)
        return structs.replace(call, approval_id=self._round.approval_id)

    async def learn(self, answer: Answer, admitted: Admitted) -> str:
        """Bind the session of an answer to `initialize` to this caller; returns the session's id, or ""."""
        given = [value for name, value in answer.lines if name.lower() == b"mcp-session-id"]
        if answer.status != 200 or len(given) != 1:
            return ""
        session_id = given[0].decode("latin-1")
        client = call.client_of("initialize", call.params_of(admitted.message), {})
        legacy_session = LegacySession(self.principal.id, client)
        workers = self._parts.judging.workers
        if not await workers.tell_session(self._server, session_id, legacy_session):
            self._parts.sessions.learn(self._server.name, session_id, legacy_session)
        return session_id

    def holder(self, session_id: str) -> Holder:
        """The holder of the server's requests in that legacy session, or without one."""
        return Holder(self._server.name, self.principal.id, session_id)

    def call(self, admitted: Admitted, legacy_session: LegacySession | None) -> Call:
        """The call to be judged for this message; the server's messages in its answer take from it."""
        key = session.cooperative_key(self.headers.cooperative, call.meta(admitted.message))
        return call.build(
            admitted,
            self.headers,
            request_id=self._parts.new_id(),
            server=self._server.name,
            principal=self.principal,
            session=self._session(legacy_session, key),
            legacy_session=legacy_session,
        )

    def listening(self, verb: str, legacy_session: LegacySession | None) -> Call:
        """The call for a stream of the server's own, which answers no message."""
        key = session.cooperative_key(self.headers.cooperative, {})
        return call.unread(
            self.headers,
            verb,
            request_id=self._parts.new_id(),
            server=self._server.name,
            era=LEGACY,
            principal=self.principal,
            session=self._session(legacy_session, key),
        )

    def _session(self, legacy_session: LegacySession | None, key: str) -> Session:
        return session.identify(
            self.principal,
            self._server.name,
            legacy_id=self.headers.session,
            legacy_session=legacy_session,
            key=key,
        )

    def _report(self, fault: Refusal) -> None:
        """Have a refusal recorded that the decision service was not asked about."""
        principal = self._principal or session.unauthenticated(self._scope.get("client"))
        refused = call.unread(
            self.headers,
            self._scope["method"],
            request_id=self._parts.new_id(),
            server=self._server.name,
            era=header_era(self.headers),
            principal=principal,
            session=Session(principal.id, "principal"),
        )
        self._parts.refusals.add(refused, Reason(fault.code, fault.message))
