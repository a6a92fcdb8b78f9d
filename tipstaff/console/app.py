"""The console over HTTP: which requests are taken, and what answers them. Edge: ASGI.

Nothing is decided by a GET. Every answer has the header lines of `requests.SECURITY_LINES`; bodies and query
strings are in no log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from msgspec import structs

from tipstaff.console import asgi, events, reading, requests
from tipstaff.console.asgi import COOKIE, Receive, Reply, Send
from tipstaff.console.changing import Changes
from tipstaff.console.login import openid, openid_login
from tipstaff.console.parts import Parts
from tipstaff.console.reading import Pages
from tipstaff.console.requests import Heads, RefusedError
from tipstaff.console.sessions import Session
from tipstaff.console.views import login, shell
from tipstaff.console.views.forms import Frame

_STATIC = Path(__file__).with_name("static")

log = structlog.get_logger("tipstaff.console")


class Console:
    """The ASGI application."""

    def __init__(self, parts: Parts) -> None:
        """Read the files that never change."""
        self._parts = parts
        self._pages, self._changes = Pages(parts), Changes(parts)
        self._static = {
            f"/static/{path.name}": (path.read_bytes(), asgi.TYPES[path.suffix[1:]])
            for path in _STATIC.iterdir()
            if path.suffix[1:] in asgi.TYPES
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        try:
            request = requests.heads(scope["headers"])
            requests.check_host(request, self._parts.port)
            if kind := events.PATHS.get(scope["path"]):
                await events.serve(kind, self._session(request), self._parts.news, receive, send)
                return
            answer = await self._answer(scope, request, receive)
        except RefusedError as error:
            answer = Reply(error.status, shell.failure(None, "Not taken", str(error)))
        except Exception:
            log.exception("unexpected fault", path=scope["path"][:80])
            answer = Reply(500, shell.failure(None, "Something went wrong", "The log says what."))
        await asgi.reply(send, answer)

    async def _answer(self, scope: dict[str, Any], request: Heads, receive: Receive) -> Reply:
        verb, path = scope["method"], scope["path"]
        if verb in {"GET", "HEAD"}:
            return await self._page(path, request, scope["query_string"])
        if verb != "POST":
            raise RefusedError(405, "this console takes GET and POST")
        requests.check_own(request)
        fields = requests.form(request, await asgi.body(receive))
        if path == "/login":
            return self._changes.log_in(fields)
        session = self._session(request)
        if session is None:
            raise RefusedError(401, "you are not logged in any more: run `tipstaff console login`")
        requests.check_token(fields, session.token)
        if path == "/logout":
            return self._changes.log_out(requests.cookie(request, COOKIE), session)
        return await self._changes.change(path, session, self._frame(session), fields)

    async def _page(self, path: str, request: Heads, query: bytes) -> Reply:
        if open_page := await self._open_page(path, request, query):
            return open_page
        session = self._session(request)
        if session is not None:
            return await self._pages.page(path, requests.fields(query), self._frame(session))
        if b"again=1" in query:
            return self._changes.login_page("You are not logged in.")
        return Reply(200, login.again(reading.returns_to(path, query)))

    async def _open_page(self, path: str, request: Heads, query: bytes) -> Reply | None:
        """What everybody gets: files, and the ways in."""
        if path in self._static:
            body, media = self._static[path]
            return Reply(200, body, ((b"content-type", media),))
        if path == "/login":
            return self._changes.login_page(status=200)
        if path == openid_login.START_PATH:
            return await self._changes.to_provider(request)
        if path == openid.RETURN_PATH:
            return await self._changes.log_in_by_provider(request, requests.fields(query))
        return None

    def _session(self, request: Heads) -> Session | None:
        """The session of a request, of a person who is still one of those who may come in."""
        secret, parts = requests.cookie(request, COOKIE), self._parts
        session = parts.sessions.get(secret, parts.steady())
        if session is None:
            return None
        person = parts.people(session.person.id)
        if person is None:
            parts.sessions.end(secret)
            return None
        session.person = structs.replace(person, method=session.person.method)
        return session

    def _frame(self, session: Session) -> Frame:
        return Frame(session.person, session.token, int(self._parts.wall() * 1000))
