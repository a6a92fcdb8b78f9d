"""Which page an address shows to somebody who is logged in. Edge: asks for what the pages tell."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tipstaff.console.asgi import Reply
from tipstaff.console.asking import ServiceError
from tipstaff.console.definitions import DefinitionError
from tipstaff.console.history import Selection
from tipstaff.console.parts import Parts
from tipstaff.console.views import (
    approvals,
    audit,
    change,
    decision,
    decisions,
    limits,
    policy,
    servers,
    shell,
)
from tipstaff.console.views.approvals import Context
from tipstaff.console.views.forms import Frame

_APPROVAL = re.compile(r"/a/(a-[0-9a-f]{8,64})")
_DECISION = re.compile(r"/d/([0-9A-Za-z-]{8,64})")

Query = Mapping[str, str]
_Page = Callable[[Frame, Query], Awaitable[bytes]]


def returns_to(path: str, query: bytes) -> str:
    """The address to come back to after the first visit from another site, which comes without our cookie."""
    if _APPROVAL.fullmatch(path) or _DECISION.fullmatch(path):
        return path
    if path not in shell.PAGES:
        return "/"
    return f"{path}?{query.decode('ascii', 'replace')}" if query else path


async def context(parts: Parts, call: Any) -> Context:
    """What else is known of a held call; a service that does not tell keeps nobody from answering."""
    try:
        marks, earlier = await asyncio.gather(
            parts.operations.marks(call.server, call.target), parts.approvals.earlier(call)
        )
    except ServiceError:
        return Context()
    return Context(marks, earlier)


class Pages:
    """The pages by their addresses."""

    def __init__(self, parts: Parts) -> None:
        """Ask `parts`."""
        self._parts = parts
        self._pages: dict[str, _Page] = {
            "/": self._inbox,
            decisions.PATH: self._decisions,
            servers.PATH: self._servers,
            change.PATH: self._change,
            limits.PATH: self._limits,
            policy.PATH: self._policy,
            audit.PATH: self._audit,
        }

    async def page(self, path: str, query: Query, frame: Frame) -> Reply:
        """The page of an address, or one that says why there is none."""
        try:
            if match := _APPROVAL.fullmatch(path):
                call = await self._parts.approvals.get(match[1])
                return Reply(200, approvals.approval(frame, call, await context(self._parts, call)))
            if match := _DECISION.fullmatch(path):
                return self._decision(frame, match[1])
            if path in self._pages:
                return Reply(200, await self._pages[path](frame, query))
        except ServiceError as error:
            return Reply(error.status, shell.failure(frame, "No answer", str(error)))
        except DefinitionError as error:
            return Reply(409, shell.failure(frame, "Nothing to accept", str(error)))
        return Reply(404, shell.failure(frame, "No such page", "Nothing is here."))

    async def _inbox(self, frame: Frame, query: Query) -> bytes:
        del query
        reply = await self._parts.approvals.list()
        return approvals.inbox(frame, reply.calls, reply.pending)

    async def _decisions(self, frame: Frame, query: Query) -> bytes:
        known = {name: query[name] for name in Selection.__struct_fields__ if name in query}
        history = self._parts.operations.history
        return decisions.decisions(frame, history, Selection(**known), self._now())

    def _decision(self, frame: Frame, decision_id: str) -> Reply:
        history = self._parts.operations.history
        made = history.get(decision_id)
        if made is None:
            return Reply(404, decision.forgotten(frame, decision_id))
        return Reply(200, decision.decision(frame, made, *history.neighbours(made)))

    async def _servers(self, frame: Frame, query: Query) -> bytes:
        operations = self._parts.operations
        tools = await operations.catalogue()
        return servers.servers(
            frame, tools, operations.history, query.get("server", ""), self._now()
        )

    async def _change(self, frame: Frame, query: Query) -> bytes:
        server, tool = query.get("server", ""), query.get("tool", "")
        listed = await asyncio.to_thread(self._parts.definitions.change, server, tool)
        return change.change(frame, listed)

    async def _limits(self, frame: Frame, query: Query) -> bytes:
        operations = self._parts.operations
        reset = query.get("reset", "")
        message = f"Reset: {reset}." if reset.isascii() and reset.isdigit() else ""
        return limits.limits(frame, await operations.counters(), operations.history, message)

    async def _policy(self, frame: Frame, query: Query) -> bytes:
        del query
        operations = self._parts.operations
        return policy.policy(frame, await operations.status(), operations.history.revisions)

    async def _audit(self, frame: Frame, query: Query) -> bytes:
        del query
        actions = self._parts.audit.newest()
        return audit.audit(frame, actions, self._parts.operations.history.answers)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._parts.wall(), UTC)
