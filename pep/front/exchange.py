"""One HTTP exchange: the message in, the decision, and either the judged bytes on or an answer.

Edge, but without sockets of its own: ASGI callables on one side, two ports on the other.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import structlog
from msgspec import structs

from pdp.api.model import Call
from pep.config import Server
from pep.errors import (
    InvalidParams,
    InvalidRequest,
    Refusal,
    UpstreamAway,
    VerbNotAllowed,
)
from pep.front.body_reader import until_gone
from pep.front.client_answer import ClientAnswer
from pep.front.departure import DEPARTURE, Departure
from pep.front.held_answer import HeldAnswer
from pep.front.held_request import uncoded, undigested
from pep.front.relay_io import Client, hand_on
from pep.front.request_body import IS_HERE, RequestBody
from pep.front.request_caller import ExchangeParts, RequestCaller
from pep.judge.enforce import Refuse, refuse
from pep.judge.response_filter import ResponseFilter
from pep.judge.rounds import own_state, without_state
from pep.judge.server_requests import Shown
from pep.judge.turn import Turn
from pep.mcp import headers, jsonrpc
from pep.mcp.admit import Admitted, admit, check_name, lightened
from pep.mcp.jsonrpc import Message, Request, Response
from pep.mcp.methods import LEGACY, MODERN, Target
from pep.ports import (
    Answer,
    LostError,
    NeverReachedError,
    NeverSentCancelledError,
    Receive,
    Send,
)
from pep.upstreams.faults import refusal_of
from pep.workers.handover import hand_over

_LIGHT_BYTES = 4096  # a larger message is not kept while the server works on its answer

log = structlog.get_logger("pep")


class Exchange:
    """One request of a client to one server, until its answer has gone."""

    def __init__(
        self, parts: ExchangeParts, server: Server, scope: dict[str, Any], send: Send
    ) -> None:
        """Begin with the header lines only; nothing has been read yet."""
        self._parts = parts
        self._server = server
        self._scope = scope
        self._departure: Departure | None = scope.get(DEPARTURE)
        self._client = HeldAnswer(ClientAnswer(send, parts.room.unread))
        self._headers = headers.RequestHeaders()
        self._caller = RequestCaller(parts, server, scope)
        self._era = LEGACY
        self._turn = Turn(parts.decisions, server.denial)

    @property
    def has_begun(self) -> bool:
        """Whether any of the answer has been sent."""
        return self._client.has_begun

    async def run(self, receive: Receive) -> None:
        """Answer the request; raises a `Refusal` that is still to be answered."""
        self._headers = headers.read(self._scope["headers"])
        self._era = headers.header_era(self._headers)
        self._caller.headers = self._headers
        config = self._parts.config
        headers.check_place(self._headers, config.allowed_hosts, config.allowed_origins)
        await self._caller.authenticate()
        self._client.caller = caller_id = self._caller.principal.id
        with self._parts.room.under_way.counted(caller_id):
            await self._answer_verb(receive, caller_id)

    async def _answer_verb(self, receive: Receive, caller_id: str) -> None:
        verb, parts = self._scope["method"], self._parts
        workers, session_id = parts.judging.workers, self._headers.session
        worker = workers.elsewhere(self._scope, self._server, self._era, session_id)
        if verb == "POST":
            headers.check_media(self._headers)
            body = RequestBody(
                parts.config,
                self._headers,
                caller_id,
                bodies=parts.room.bodies,
                large=parts.judging.large,
                is_here=IS_HERE in self._scope,
            )
            try:
                data = await body.receive(receive)
                work = self._post(body, data) if worker is None else self._leave(worker, data)
                await until_gone(receive, work, self._departure)
            finally:
                body.release()
        elif verb in {"GET", "DELETE"} and self._era != MODERN:
            work = self._pass_verb(verb) if worker is None else self._leave(worker, None)
            await until_gone(receive, work, self._departure)
        else:
            raise VerbNotAllowed("Method Not Allowed")

    def _leave(self, worker: int, body: bytes | None) -> Coroutine[Any, Any, None]:
        """Leave the request to the worker that keeps what it needs."""
        return hand_over(self._parts.judging.workers, worker, self._scope, body, self._client)

    async def refuse(self, fault: Refusal) -> None:
        """Answer with an error."""
        log.info("refused", server=self._server.name, code=fault.code, reason=fault.message)
        await self._answer(refuse(self._client.reply_to, fault, era=self._era))

    async def _post(self, body: RequestBody, data: bytes) -> None:
        plain, admitted = await body.read(data, self._read)
        if self._server.command:
            data = plain  # a child gets no header line with the body's coding
        message = admitted.message
        state = own_state(message, admitted.era) if self._server.approval_rounds else ""
        if state:
            data = self._as_at_first(message, body)
            admitted = self._read(data)
            message = admitted.message
        call = self._caller.call(admitted, self._caller.legacy_session())
        if state:
            call = self._caller.resume(call, state)
        if isinstance(message, Response):
            await self._caller.take_answer(message)
        with self._caller.under_way_once(message.id if isinstance(message, Request) else None):
            refusal = await self._decide(admitted, call, body)
            body.end_slot()
            if refusal is not None:
                await self._answer(refusal)
                return
            if len(plain) > _LIGHT_BYTES:
                admitted, call = lightened(admitted), structs.replace(call, arguments=b"{}")
                del message, plain
            try:
                await self._pass_message(data, admitted, call)
            finally:
                self._turn.end()

    def _read(self, plain: bytes) -> Admitted:
        """The message that may be judged; raises a `ClientFault`."""
        envelope = jsonrpc.open_envelope(plain)
        self._client.reply_to = envelope.reply_to
        message = jsonrpc.read(envelope)
        admitted = admit(self._headers, message)
        check_name(admitted, self._server.tool_names)
        return admitted

    def _as_at_first(self, message: Message, body: RequestBody) -> bytes:
        """The body of a call that goes on in this request, as it was at first; raises `InvalidParams`."""
        if body.has_slot or not isinstance(message, Request):
            raise InvalidParams("requestState was not given for this call: make it again without")
        self._scope = {**self._scope, "headers": undigested(self._scope["headers"])}
        return without_state(message)

    async def _decide(self, admitted: Admitted, call: Call, body: RequestBody) -> Refuse | None:
        """The answer to give instead of the server's; `None` when the message may go on."""
        message = admitted.message
        if not admitted.is_judged:
            return None
        assert isinstance(message, Request)  # noqa: S101 - the table has no judged notification
        if admitted.row is not None and admitted.row.target is Target.TASK:
            tasks = self._parts.judging.tasks
            tasks.check(self._server.name, admitted.target, self._caller.principal)
        hold = None if body.has_slot else self._caller.hold(self._client, message)
        verdict = await self._turn.decide(call, message, hold)
        return verdict if isinstance(verdict, Refuse) else None

    async def _pass_message(self, body: bytes, admitted: Admitted, call: Call) -> None:
        answer = await self._forward("POST", body)
        session_id = self._headers.session
        if admitted.row is not None and admitted.row.name == "initialize":
            session_id = await self._caller.learn(answer, admitted) or session_id
        budget_lines = self._turn.budget_lines if admitted.target else []
        request = admitted.message if isinstance(admitted.message, Request) else None
        response_filter = self._response_filter(call, request, self._shown(session_id))
        await self._hand_on(answer, response_filter, budget_lines)

    async def _pass_verb(self, verb: str) -> None:
        """Forward a GET, for the server's own stream, or a DELETE, which ends the session (legacy era)."""
        if self._headers.length or self._headers.framing:
            raise InvalidRequest(f"a {verb} has no body")
        listening = self._caller.listening(verb, self._caller.legacy_session())
        answer = await self._forward(verb, None)
        if verb == "DELETE" and answer.status < 300:
            self._parts.sessions.forget(self._server.name, self._headers.session)
            self._parts.server_requests.forget(self._caller.holder(self._headers.session))
        is_resumed = any(name == b"last-event-id" for name, _ in self._scope["headers"])
        shown = self._shown(self._headers.session, is_resumed=is_resumed)
        await self._hand_on(answer, self._response_filter(listening, None, shown), [])

    def _shown(self, session_id: str, *, is_resumed: bool = False) -> Shown | None:
        """The book of requests shown to the client; `None` for a modern client, which answers none."""
        if self._era != LEGACY:
            return None
        holder = self._caller.holder(session_id)
        return Shown(self._parts.server_requests, holder, is_resumed=is_resumed)

    def _response_filter(
        self, call: Call, request: Request | None, shown: Shown | None
    ) -> ResponseFilter:
        return ResponseFilter(
            self._parts.judging,
            call,
            request=request,
            denial=self._server.denial,
            answer_server=self._answer_server,
            shown=shown,
        )

    def _answer_server(self, body: bytes) -> None:
        """Send the server, which waits for an answer, the refusal of its request."""
        self._parts.background.start("answer to a server", self._send_refusal(body))

    async def _send_refusal(self, body: bytes) -> None:
        session_names = (b"mcp-session-id", b"mcp-protocol-version", b"authorization")
        lines = [line for line in self._scope["headers"] if line[0] in session_names]
        lines += [(b"content-type", b"application/json"), (b"accept", headers.BOTH_MEDIA)]
        try:
            answer = await self._send_on("POST", body, lines)
        except (LostError, NeverReachedError) as error:
            log.warning("server not told", server=self._server.name, error=str(error))
        else:
            answer.close()

    async def _forward(self, verb: str, body: bytes | None) -> Answer:
        """Forward the judged bytes; a call that never reached the server is refunded."""
        server = self._server
        try:
            answer = await self._send_on(verb, body, self._scope["headers"])
        except NeverReachedError as error:
            self._give_back()
            log.warning("upstream never reached", server=server.name, error=str(error))
            raise refusal_of(error, server.name) from error
        except NeverSentCancelledError:
            self._give_back()
            raise
        except LostError as error:
            self._turn.lost()
            log.warning("upstream lost", server=server.name, error=str(error))
            raise refusal_of(error, server.name) from error
        if answer.status == 404 and self._headers.session:  # the server has ended the session
            self._parts.server_requests.forget(self._caller.holder(self._headers.session))
        return answer

    def _give_back(self) -> None:
        """Refund the decision and let the client answer again, as the server has seen nothing."""
        self._turn.never_sent()
        self._caller.answer_again()

    async def _send_on(self, verb: str, body: bytes | None, lines: headers.HeaderLines) -> Answer:
        server = self._server
        upstream_lines = headers.to_upstream(
            uncoded(lines) if self._client.is_stream else lines,
            server.authority,
            passthrough=server.auth == "passthrough",
            credentials=server.credentials,
        )
        caller_id = self._caller.principal.id
        return await self._parts.upstreams.send(verb, server, upstream_lines, body, caller_id)

    async def _hand_on(
        self, answer: Answer, response_filter: ResponseFilter, budget_lines: headers.HeaderLines
    ) -> None:
        """Hand the response on, with `budget_lines` for what is left of the caller's limits."""
        to_client = self._client
        client = Client(to_client.begin, to_client.part, to_client.last, to_client.request_id)
        try:
            await hand_on(answer, response_filter.filter, client, budget_lines)
        except (LostError, Refusal) as error:
            log.warning("upstream broke off", server=self._server.name, error=str(error))
            if isinstance(error, LostError):
                self._turn.lost()
            if self.has_begun:
                return  # the client must see a broken answer, not a short one: it stays unfinished
            if isinstance(error, Refusal):
                raise
            raise UpstreamAway(f"The server {self._server.name!r} broke off") from error
        finally:
            answer.close()

    async def _answer(self, refusal: Refuse) -> None:
        await self._client.begin(refusal.status, refusal.headers)
        await self._client.last(refusal.body)
