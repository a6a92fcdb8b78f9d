"""The console over HTTP: which request gets which page, and who may make it. Edge: ASGI.

Nothing is decided by a GET. Every answer has the header lines of `requests.SECURITY_LINES`; bodies and query
strings are in no log.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct

from tipstaff.console import logins, pages, requests, shell
from tipstaff.console.forms import Frame
from tipstaff.console.requests import Heads, RefusedError
from tipstaff.console.service import Service, ServiceError
from tipstaff.console.sessions import Person, Session, Sessions

COOKIE = "tipstaff-console"
MAX_STREAMS = 4
_HEARTBEAT_SECONDS = 15.0
_STATIC = Path(__file__).with_name("static")
_TYPES = {
    "console.js": b"text/javascript; charset=utf-8",
    "console.css": b"text/css; charset=utf-8",
}
_HTML = (b"content-type", b"text/html; charset=utf-8")
_APPROVAL = re.compile(r"/a/(a-[0-9a-f]{8,64})")
_ANSWER = re.compile(r"/a/(a-[0-9a-f]{8,64})/(grant|refuse|withdraw)")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = structlog.get_logger("tipstaff.console")


class Parts(Struct, frozen=True):
    """What the console needs: who may come in, where logins are, the decision service, the clocks."""

    service: Service
    sessions: Sessions
    state: Path
    port: int
    people: Callable[[str], Person | None]
    steady: Callable[[], float]
    wall: Callable[[], float]


class Answer(Struct, frozen=True):
    """What a request gets."""

    status: int
    body: bytes = b""
    lines: tuple[tuple[bytes, bytes], ...] = (_HTML,)


class Console:
    """The ASGI application."""

    def __init__(self, parts: Parts) -> None:
        """Read the files that never change."""
        self._parts = parts
        self._static = {name: (_STATIC / name).read_bytes() for name in _TYPES}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        try:
            request = requests.heads(scope["headers"])
            requests.check_host(request, self._parts.port)
            if scope["path"] == "/events":
                await self._events(request, receive, send)
                return
            answer = await self._answer(scope, request, receive)
        except RefusedError as error:
            answer = Answer(error.status, shell.failure(None, "Not taken", str(error)))
        except Exception:
            log.exception("unexpected fault", path=scope["path"][:80])
            answer = Answer(500, shell.failure(None, "Something went wrong", "The log says what."))
        await _send(send, answer)

    async def _answer(self, scope: dict[str, Any], request: Heads, receive: Receive) -> Answer:
        verb, path = scope["method"], scope["path"]
        if verb in {"GET", "HEAD"}:
            return await self._page(path, request, scope["query_string"])
        if verb != "POST":
            raise RefusedError(405, "this console takes GET and POST")
        requests.check_own(request)
        fields = requests.form(request, await _body(receive))
        if path == "/login":
            return self._log_in(fields)
        secret = requests.cookie(request, COOKIE)
        session = self._parts.sessions.get(secret, self._parts.steady())
        if session is None:
            raise RefusedError(401, "you are not logged in any more: run `tipstaff console login`")
        requests.check_token(fields, session.token)
        if path == "/logout":
            self._parts.sessions.end(secret)
            return Answer(303, lines=((b"location", b"/login"), _cookie("", 0)))
        if match := _ANSWER.fullmatch(path):
            return await self._decide(session, match[1], match[2], fields)
        raise RefusedError(404, "there is no such page")

    async def _page(self, path: str, request: Heads, query: bytes) -> Answer:
        name = path.removeprefix("/static/")
        if path.startswith("/static/") and name in _TYPES:
            return Answer(200, self._static[name], ((b"content-type", _TYPES[name]),))
        if path == "/login":
            return Answer(200, pages.login())
        session = self._session(request)
        if session is not None:
            return await self._shown(path, self._frame(session))
        if b"again=1" in query:
            return Answer(401, pages.login("You are not logged in."))
        return Answer(200, pages.again(path if _APPROVAL.fullmatch(path) else "/"))

    async def _shown(self, path: str, frame: Frame) -> Answer:
        """A page for somebody who is logged in."""
        match = _APPROVAL.fullmatch(path)
        try:
            if match:
                return Answer(200, pages.approval(frame, await self._parts.service.get(match[1])))
            if path == "/":
                reply = await self._parts.service.list()
                return Answer(200, pages.inbox(frame, reply.calls, reply.pending))
        except ServiceError as error:
            return Answer(error.status, shell.failure(frame, "No answer", str(error)))
        return Answer(404, shell.failure(frame, "No such page", "Nothing is here."))

    def _log_in(self, fields: Mapping[str, str]) -> Answer:
        parts = self._parts
        name = logins.use(parts.state, fields.get("secret", ""), parts.wall())
        person = parts.people(name) if name else None
        if person is None:
            log.warning("login refused")
            return Answer(401, pages.login("This address has been used, or is too old."))
        secret = secrets.token_urlsafe(32)
        parts.sessions.begin(secret, secrets.token_urlsafe(32), person, parts.steady())
        log.info("logged in", person=person.id)
        return Answer(303, lines=((b"location", b"/"), _cookie(secret)))

    async def _decide(
        self, session: Session, approval_id: str, what: str, fields: Mapping[str, str]
    ) -> Answer:
        frame, service, note = self._frame(session), self._parts.service, fields.get("note", "")
        if not session.person.may_answer:
            raise RefusedError(403, "you may look, and not answer")
        standing = fields.get("standing", "0")
        if not (standing.isascii() and standing.isdigit() and len(standing) < 8):
            raise RefusedError(400, "standing is no number of seconds")
        try:
            call = await service.get(approval_id)
            is_typed = fields.get("confirm", "").strip() == call.target
            if what == "grant" and call.risk == "critical" and not is_typed:
                message = "Type the name of the tool to grant it."
                return Answer(400, pages.approval(frame, call, message, note))
            await service.answer(
                what, approval_id, session.person,
                digest=fields.get("digest") or "none", note=note, standing=int(standing),
            )  # fmt: skip
        except ServiceError as error:
            return await self._not_taken(frame, approval_id, error, note)
        log.info("answered", approval=approval_id, person=session.person.id, answer=what)
        return Answer(303, lines=((b"location", f"/a/{approval_id}".encode()),))

    async def _not_taken(
        self, frame: Frame, approval_id: str, error: ServiceError, note: str
    ) -> Answer:
        """The approval as it is now, with why the answer was not taken; the note is not lost."""
        try:
            call = await self._parts.service.get(approval_id)
        except ServiceError:
            return Answer(error.status, shell.failure(frame, "Not taken", str(error)))
        return Answer(error.status, pages.approval(frame, call, str(error), note))

    async def _events(self, request: Heads, receive: Receive, send: Send) -> None:
        """Tell a page of changes until it is closed; one stream too many gets 204, which ends its trying."""
        session = self._session(request)
        if session is None or session.streams >= MAX_STREAMS:
            await _send(send, Answer(401 if session is None else 204, b"", ()))
            return
        session.streams += 1
        leaving = asyncio.ensure_future(_gone(receive))
        telling = asyncio.ensure_future(self._tell(send))
        try:
            await asyncio.wait({leaving, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            session.streams -= 1
            for task in (leaving, telling):
                task.cancel()
            await asyncio.gather(leaving, telling, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        lines = [(b"content-type", b"text/event-stream"), *requests.SECURITY_LINES]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await _part(send, b": hello\n\n")
        changes = self._parts.service.changes()
        upcoming = asyncio.ensure_future(anext(changes))
        try:
            while True:
                done, _ = await asyncio.wait({upcoming}, timeout=_HEARTBEAT_SECONDS)
                if not done:
                    await _part(send, b": alive\n\n")
                    continue
                await _part(send, f"event: change\ndata: {upcoming.result()}\n\n".encode())
                upcoming = asyncio.ensure_future(anext(changes))
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
            await changes.aclose()  # type: ignore[attr-defined]

    def _session(self, request: Heads) -> Session | None:
        return self._parts.sessions.get(requests.cookie(request, COOKIE), self._parts.steady())

    def _frame(self, session: Session) -> Frame:
        return Frame(session.person, session.token, int(self._parts.wall() * 1000))


async def _send(send: Send, answer: Answer) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    lines = [*answer.lines, length, *requests.SECURITY_LINES]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": answer.body})


async def _part(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the request ended early")
        body += message.get("body", b"")
        if len(body) > requests.MAX_FORM:
            raise RefusedError(413, "the form is too large")
        if not message.get("more_body"):
            return bytes(body)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _cookie(secret: str, age: int = 12 * 3600) -> tuple[bytes, bytes]:
    """The cookie, which goes with requests of our own pages alone. Plain, since only this machine is served."""
    text = f"{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}"
    return b"set-cookie", text.encode()
