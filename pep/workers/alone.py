"""A proxy without other workers: it serves everything and tells nobody. Pure."""

from __future__ import annotations

from typing import Any, NoReturn

from pdp.api.model import Principal
from pep.callers.session import LegacySession
from pep.config import Server
from pep.judge.server_requests import Holder
from pep.mcp.jsonrpc import Id


class Alone:
    """The other workers of a proxy that has none; see `Workers`."""

    def elsewhere(self, scope: dict[str, Any], server: Server, era: str, session_id: str) -> None:
        """Nobody else serves."""

    async def forward(self, worker: int, scope: dict[str, Any], body: bytes | None) -> NoReturn:  # noqa: ARG002
        """There is no such worker."""
        raise LookupError(worker)

    async def tell_session(self, server: Server, session_id: str, session: LegacySession) -> bool:  # noqa: ARG002
        """It is kept here."""
        return False

    async def tell_task(self, server: str, task: str, principal: Principal) -> None:
        """Nobody needs to know."""

    async def ask_answer(self, holder: Holder, request_id: Id) -> bool:  # noqa: ARG002
        """Nobody else has shown a request."""
        return False

    async def close(self) -> None:
        """Nothing is open."""
