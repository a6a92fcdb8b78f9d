"""What a form changes: logins, answers, limits, definitions. Edge.

Every form has been listed to come from a page of ours before it comes here; each of these is written down.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import structs

from tipstaff.console import asgi, reading
from tipstaff.console.asgi import Reply
from tipstaff.console.asking import ServiceError
from tipstaff.console.definitions import DefinitionError
from tipstaff.console.login import addresses, openid_login
from tipstaff.console.login.openid import LoginError
from tipstaff.console.parts import Parts
from tipstaff.console.requests import Heads, RefusedError
from tipstaff.console.sessions import Person, Session
from tipstaff.console.views import approvals, change, limits, login, servers, shell
from tipstaff.console.views.forms import Frame

_ANSWER = re.compile(r"/a/(a-[0-9a-f]{8,64})/(grant|refuse|withdraw)")

Fields = Mapping[str, str]
_Form = Callable[[Session, Frame, Fields], Awaitable[Reply]]


class Changes:
    """The forms by their addresses."""

    def __init__(self, parts: Parts) -> None:
        """Change `parts`."""
        self._parts = parts
        self._forms: dict[str, _Form] = {
            "/limits/reset": self._reset,
            "/servers/accept": self._accept,
        }

    def log_in(self, fields: Fields) -> Reply:
        """Let a person in by a secret that works once."""
        parts = self._parts
        name = addresses.use(parts.state, fields.get("secret", ""), parts.wall())
        person = parts.people(name) if name else None
        if person is None:
            parts.audit.login_refused("an address that is used, too old, or unknown")
            return self.login_page("This address has been used, or is too old.")
        return asgi.see("/", self._begun(person))

    async def log_in_by_provider(self, request: Heads, fields: Fields) -> Reply:
        """Let a person in whom the identity provider has sent back."""
        parts = self._parts
        if parts.openid is None:
            raise RefusedError(404, "there is no such page")
        try:
            person = parts.people(await parts.openid.finish(request, fields))
        except LoginError as error:
            parts.audit.login_refused(str(error))
            return self.login_page(str(error))
        if person is None or not parts.people.are_named():
            parts.audit.login_refused("a person of the provider who may not come in")
            return self.login_page(
                "You are logged in there, and are none of those who may come in."
            )
        proven = structs.replace(person, method="oidc")
        # Not by a redirect: the browser comes from another site, and would keep the cookie back.
        lines = (asgi.HTML, self._begun(proven), openid_login.cookie("", 0))
        return Reply(200, login.again("/"), lines)

    async def to_provider(self, request: Heads) -> Reply:
        """Send the browser to the identity provider, from the address that it will come back to."""
        if self._parts.openid is None:
            raise RefusedError(404, "there is no such page")
        own = f"127.0.0.1:{self._parts.port}"
        if request.host != own:
            return asgi.see(f"http://{own}{openid_login.START_PATH}")
        try:
            return await self._parts.openid.start()
        except LoginError as error:
            return self.login_page(str(error), 503)

    def login_page(self, error: str = "", status: int = 401) -> Reply:
        """The page that says how to log in."""
        has_provider = self._parts.openid is not None
        return Reply(status, login.login(error, has_provider=has_provider))

    def _begun(self, person: Person) -> tuple[bytes, bytes]:
        """The cookie of a new session."""
        secret = secrets.token_urlsafe(32)
        self._parts.sessions.begin(secret, secrets.token_urlsafe(32), person, self._parts.steady())
        self._parts.audit.add("login", person.id, note=person.method)
        return asgi.cookie(secret)

    def log_out(self, secret: str, session: Session) -> Reply:
        """End a session."""
        self._parts.sessions.end(secret)
        self._parts.audit.add("logout", session.person.id)
        return asgi.see("/login", asgi.cookie("", 0))

    async def change(self, path: str, session: Session, frame: Frame, fields: Fields) -> Reply:
        """Do what a form asks for; raises `RefusedError` for what there is not, or not for this person."""
        answer = _ANSWER.fullmatch(path)
        if answer is None and path not in self._forms:
            raise RefusedError(404, "there is no such page")
        if not session.person.may_answer:
            what, whom = (answer[2], answer[1]) if answer else (path, "")
            self._parts.audit.add(what, session.person.id, whom, refused="may look only")
            raise RefusedError(403, "you may look, and not answer")
        if answer:
            return await self._answer(frame, answer[1], answer[2], fields)
        return await self._forms[path](session, frame, fields)

    async def _answer(self, frame: Frame, approval_id: str, what: str, fields: Fields) -> Reply:
        service, note = self._parts.approvals, fields.get("note", "")
        standing = fields.get("standing", "0")
        if not (standing.isascii() and standing.isdigit() and len(standing) < 8):
            raise RefusedError(400, "standing is no number of seconds")
        try:
            call = await service.get(approval_id)
            is_typed = fields.get("confirm", "").strip() == call.target
            if what == "grant" and call.risk == "critical" and not is_typed:
                message = "Type the name of the tool to grant it."
                return await self._shown(400, frame, call, message, note)
            await service.answer(
                what, approval_id, frame.person,
                digest=fields.get("digest") or "none", note=note, standing=int(standing),
            )  # fmt: skip
        except ServiceError as error:
            self._parts.audit.add(what, frame.person.id, approval_id, note=note, refused=str(error))
            return await self._not_taken(frame, approval_id, error, note)
        self._parts.audit.add(what, frame.person.id, approval_id, note=note)
        return asgi.see(f"/a/{approval_id}")

    async def _not_taken(
        self, frame: Frame, approval_id: str, error: ServiceError, note: str
    ) -> Reply:
        """The approval as it is now, with why the answer was not taken; the note is not lost."""
        try:
            call = await self._parts.approvals.get(approval_id)
        except ServiceError:
            return Reply(error.status, shell.failure(frame, "Not taken", str(error)))
        return await self._shown(error.status, frame, call, str(error), note)

    async def _shown(self, status: int, frame: Frame, call: Any, error: str, note: str) -> Reply:
        context = await reading.context(self._parts, call)
        return Reply(status, approvals.approval(frame, call, context, error, note))

    async def _reset(self, session: Session, frame: Frame, fields: Fields) -> Reply:
        name = fields.get("name", "")
        if not name:
            raise RefusedError(400, "no limit is named")
        whose = [fields.get("principal", ""), fields.get("session", "")]
        what = " ".join([name, *filter(None, whose)])
        try:
            count = await self._parts.operations.reset(name, *whose)
        except ServiceError as error:
            self._parts.audit.add("reset", session.person.id, what, refused=str(error))
            return Reply(error.status, shell.failure(frame, "Not taken", str(error)))
        self._parts.audit.add("reset", session.person.id, what)
        return asgi.see(f"{limits.PATH}?reset={count}")

    async def _accept(self, session: Session, frame: Frame, fields: Fields) -> Reply:
        server, tool = fields.get("server", ""), fields.get("tool", "")
        digest = fields.get("digest", "")
        definitions, what = self._parts.definitions, f"{server} {tool}"
        try:
            listed = await asyncio.to_thread(definitions.change, server, tool)
            if listed.signs and fields.get("confirm", "").strip() != tool:
                message = "Type the name of the tool to accept it."
                return Reply(400, change.change(frame, listed, message))
            if listed.digest != digest:
                message = "The server lists another definition by now: this is the newest."
                self._parts.audit.add("accept", session.person.id, what, refused=message)
                return Reply(409, change.change(frame, listed, message))
            await asyncio.to_thread(definitions.accept, server, tool, digest)
        except DefinitionError as error:
            self._parts.audit.add("accept", session.person.id, what, refused=str(error))
            return Reply(409, shell.failure(frame, "Not accepted", str(error)))
        self._parts.audit.add("accept", session.person.id, what, note=digest)
        return asgi.see(servers.PATH)
