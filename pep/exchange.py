"""One HTTP exchange: the message in, the decision, and either the judged bytes on or an answer.

Edge, but without sockets of its own: ASGI callables on one side, two ports on the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from msgspec import Struct

from pdp.api.model import Call, Decision, Effect, Principal, Reason
from pep import call, headers, jsonrpc, rate_limit, session
from pep.admit import Admitted, admit
from pep.callers import Callers
from pep.config import PepConfig, Server
from pep.enforce import Forward, Refuse, enforce, refuse
from pep.errors import (
    CredentialInvalid,
    CredentialMissing,
    InvalidRequest,
    Refusal,
    SessionNotFound,
    UpstreamAway,
    VerbNotAllowed,
)
from pep.intake import read_body
from pep.jsonrpc import Id, Request
from pep.metadata import challenge
from pep.methods import LEGACY, MODERN
from pep.ports import Answer, Decisions, LostError, NeverReachedError, Receive, Send, Upstreams
from pep.session import Learnt, SessionBook

log = structlog.get_logger("pep")


class Parts(Struct, frozen=True):
    """What every exchange uses."""

    config: PepConfig
    decisions: Decisions
    upstreams: Upstreams
    sessions: SessionBook
    callers: Callers
    new_id: Callable[[], str]


class Exchange:
    """One request of a client to one server, until its answer has gone."""

    def __init__(self, parts: Parts, server: Server, scope: dict[str, Any], send: Send) -> None:
        """Begin with the header lines only; nothing has been read yet."""
        self._parts = parts
        self._server = server
        self._scope = scope
        self._send = send
        self._front = headers.Front()
        self._request_id: Id | None = None
        self._era = LEGACY
        self._under_way: Decision | None = None
        self._principal: Principal | None = None
        self.has_begun = False

    async def run(self, receive: Receive) -> None:
        """Answer the request. Raises a `Refusal` when there is no answer but that."""
        lines = self._scope["headers"]
        self._front = headers.read(lines)
        self._era = headers.header_era(self._front)
        config = self._parts.config
        headers.check_place(self._front, config.allowed_hosts, config.allowed_origins)
        self._principal = await self._authenticate()
        verb = self._scope["method"]
        if verb == "POST":
            headers.check_media(self._front)
            body = await read_body(receive, self._front.length, config)
            await _until_gone(receive, self._post(body))
        elif verb in {"GET", "DELETE"} and self._era != MODERN:
            await _until_gone(receive, self._pass_verb(verb))
        else:
            raise VerbNotAllowed("Method Not Allowed")

    async def refuse(self, fault: Refusal) -> None:
        """Answer with an error."""
        log.info("refused", server=self._server.name, code=fault.code, reason=fault.message)
        await self._answer(refuse(self._request_id, fault, era=self._era))

    async def _post(self, body: bytes) -> None:
        message = jsonrpc.parse(body)
        if isinstance(message, Request):
            self._request_id = message.id
        admitted = admit(self._front, message)
        learnt = self._learnt()
        if admitted.is_judged:
            decision = await self._parts.decisions.decide(self._call(admitted, learnt))
            verdict = self._enforce(message, decision)
            if not isinstance(verdict, Forward):
                await self._answer(verdict)
                return
            self._under_way = decision
        try:
            await self._pass_message(body, admitted)
        finally:
            if self._under_way is not None:
                self._parts.decisions.finish_soon(self._under_way)

    async def _pass_message(self, body: bytes, admitted: Admitted) -> None:
        answer = await self._forward("POST", body)
        if admitted.row is not None and admitted.row.name == "initialize":
            self._learn(answer, admitted)
        limits = self._under_way.limits if self._under_way and admitted.target else ()
        await self._relay(answer, rate_limit.lines(limits))

    async def _pass_verb(self, verb: str) -> None:
        """GET opens the server's own stream, DELETE ends the session (legacy era)."""
        if self._front.length or self._front.framing:
            raise InvalidRequest(f"a {verb} has no body")
        self._learnt()
        answer = await self._forward(verb, None)
        if verb == "DELETE" and answer.status < 300:
            self._parts.sessions.forget(self._server.name, self._front.session)
        await self._relay(answer)

    async def _authenticate(self) -> Principal:
        """Who calls. A refusal tells where to get a token (RFC 6750, RFC 9728), and is recorded."""
        config, server = self._parts.config, self._server
        try:
            return await self._parts.callers.principal(
                server, self._scope, self._front.authorization
            )
        except (CredentialMissing, CredentialInvalid) as fault:
            fault.lines = ((b"www-authenticate", challenge(config, server, fault)),)
            self._report(fault)
            raise

    def _learnt(self) -> Learnt | None:
        """What is known of the legacy session; raises `SessionNotFound` when it is not the caller's.

        A caller who is nobody in particular may go on with a session that is not known, as after a
        restart of the proxy: the upstream knows it, and nobody could have been bound to it.
        """
        server, given = self._server, self._front.session
        if self._era != LEGACY or not given:
            return None
        try:
            learnt = self._parts.sessions.find(server.name, given, self._caller)
            if learnt is None and self._parts.config.accepted(server) != ("anonymous",):
                raise SessionNotFound("Session not found")
        except SessionNotFound as fault:
            self._report(fault)
            raise
        return learnt

    def _report(self, fault: Refusal) -> None:
        """Have a refusal recorded that nobody was asked about."""
        refused = call.unread(
            self._front,
            self._scope["method"],
            request_id=self._parts.new_id(),
            server=self._server.name,
            era=self._era,
            principal=self._principal or session.unauthenticated(self._scope.get("client")),
        )
        self._parts.decisions.report_soon(refused, Reason(fault.code, fault.message))

    def _learn(self, answer: Answer, admitted: Admitted) -> None:
        given = [value for name, value in answer.lines if name.lower() == b"mcp-session-id"]
        if answer.status == 200 and len(given) == 1:
            client = call.client_of("initialize", _params(admitted), {})
            learnt = Learnt(self._caller.id, client)
            self._parts.sessions.learn(self._server.name, given[0].decode("latin-1"), learnt)

    @property
    def _caller(self) -> Principal:
        assert self._principal is not None  # noqa: S101 - whoever comes here was authenticated
        return self._principal

    def _call(self, admitted: Admitted, learnt: Learnt | None) -> Call:
        principal = self._caller
        meta = _params(admitted).get("_meta", {})
        key = session.cooperative_key(self._front.cooperative, meta)
        return call.build(
            admitted,
            self._front,
            request_id=self._parts.new_id(),
            server=self._server.name,
            principal=principal,
            session=session.identify(
                principal, self._server.name, legacy_id=self._front.session, learnt=learnt, key=key
            ),
            learnt=learnt,
        )

    def _enforce(self, message: jsonrpc.Message, decision: Decision) -> Forward | Refuse:
        assert isinstance(message, Request)  # noqa: S101 - the table has no judged notification
        verdict = enforce(message, decision, era=self._era, denial=self._server.denial)
        if isinstance(verdict, Refuse) and decision.effect is Effect.ALLOW:
            self._parts.decisions.refund_soon(decision)
        return verdict

    async def _forward(self, verb: str, body: bytes | None) -> Answer:
        """Send the judged bytes on; a call that never arrived is given back."""
        server = self._server
        passthrough = server.auth == "passthrough"
        lines = headers.to_upstream(
            self._scope["headers"],
            server.authority,
            passthrough=passthrough,
            credentials=server.credentials,
        )
        try:
            return await self._parts.upstreams.send(verb, server.url, lines, body)
        except NeverReachedError as error:
            if self._under_way is not None:
                self._parts.decisions.refund_soon(self._under_way)
                self._under_way = None
            log.warning("upstream never reached", server=server.name, error=str(error))
            raise UpstreamAway(f"The server {server.name!r} cannot be reached") from error
        except LostError as error:
            log.warning("upstream lost", server=server.name, error=str(error))
            raise UpstreamAway(f"The server {server.name!r} ended the connection") from error

    async def _relay(self, answer: Answer, more: headers.Lines | None = None) -> None:
        """Hand the answer on, chunk by chunk, as it comes; `more` lines tell of budgets."""
        left = _declared_length(answer.lines)
        try:
            await self._begin(answer.status, [*headers.to_client(answer.lines), *(more or ())])
            async for chunk in answer.chunks():
                left -= len(chunk)
                await self._body(chunk, more=left != 0)
                if left == 0:
                    return
            await self._body(b"", more=False)
        except LostError as error:
            # The client must see a broken answer, not a short one: the response stays unfinished.
            log.warning("upstream broke off", server=self._server.name, error=str(error))
        finally:
            answer.close()

    async def _answer(self, verdict: Refuse) -> None:
        await self._begin(verdict.status, verdict.headers)
        await self._body(verdict.body, more=False)

    async def _begin(self, status: int, lines: headers.Lines) -> None:
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _declared_length(lines: tuple[tuple[bytes, bytes], ...]) -> int:
    """The Content-Length of an answer; -1 when there is none."""
    return next((int(value) for name, value in lines if name.lower() == b"content-length"), -1)


def _params(admitted: Admitted) -> dict[str, Any]:
    assert isinstance(admitted.message, Request)  # noqa: S101 - asked for requests only
    return admitted.message.params


async def _until_gone(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, and drop it the moment the client leaves.

    Closing the stream is how a modern client cancels, and it may do so before the upstream has
    sent a single header: so the connection is watched from the first moment on, not only while the
    answer is being relayed.
    """
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - a coroutine runs in a task
    is_gone = False

    async def watch() -> None:
        nonlocal is_gone
        while (await receive())["type"] != "http.disconnect":
            pass
        is_gone = True
        main.cancel()

    watcher = asyncio.ensure_future(watch())
    try:
        await work
    except asyncio.CancelledError:
        # Somebody else may have cancelled us too: the server does when it stops.
        if not is_gone or main.uncancel() > 0:
            raise
        log.info("client gone")
    finally:
        watcher.cancel()
