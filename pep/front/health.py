"""`/healthz`: whether calls are judged, and by the rules that are in the files.

The decision service is polled, so that an answer costs nothing and is at most a second or two old.
Edge: gRPC, by way of the client of the decision service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

_EVERY_SECONDS = 1.0

log = structlog.get_logger("pep.health")


class Unready(Struct, frozen=True):
    """Why the gateway is not ready: a stable `code`, and a `reason` for people.

    The reason is readable by whoever can reach the port, so it quotes nothing from files.
    """

    code: str
    reason: str


UNREACHABLE = Unready(
    "decision_service_unreachable",
    "The decision service cannot be reached, so every call is refused. Its log says why.",
)
SILENT = Unready(
    "decision_service_silent",
    "The decision service does not say how it is, so calls may be refused. Its log says why.",
)
NO_POLICY = Unready(
    "policy_engine_unavailable",
    "OPA does not answer or has no rules, so every call is refused. The decision service's log says why.",
)
STALE = Unready(
    "policy_stale",
    "Calls are judged by rules that are older than the files: the newest were not loaded, or are not "
    "active yet. `tipstaff check` and the decision service's log say why.",
)


class PolicyStatus(Protocol):
    """The members of `GetStatusResponse` that are used here."""

    ready: bool
    stale: bool


class Health:
    """Knows whether the gateway is ready."""

    def __init__(
        self, is_connected: Callable[[], bool], status: Callable[[], Awaitable[PolicyStatus | None]]
    ) -> None:
        """Nothing is known yet; `status` returns `None` when there is no answer."""
        self._is_connected = is_connected
        self._status = status
        self._unready: Unready | None = SILENT
        self._logged: Unready | None = SILENT

    def unready(self) -> Unready | None:
        """Why the gateway is not ready; `None` when it is."""
        return self._unready if self._is_connected() else UNREACHABLE

    def answer(self) -> tuple[int, bytes]:
        """The HTTP status and the JSON of an answer to `/healthz`."""
        unready = self.unready()
        if unready is None:
            return 200, b'{"ready":true}'
        body = {"ready": False, "code": unready.code, "reason": unready.reason}
        return 503, msgspec.json.encode(body)

    async def look(self) -> None:
        """Get the status once, and log what has changed."""
        await self._ask()
        unready = self.unready()
        if unready == self._logged:
            return
        if unready is None:
            log.info("ready: calls are judged by the rules that are in the files")
        else:
            log.warning("not ready", code=unready.code, reason=unready.reason)
        self._logged = unready

    async def _ask(self) -> None:
        status = await self._status() if self._is_connected() else None
        if status is None:
            self._unready = SILENT
        elif not status.ready:
            self._unready = NO_POLICY
        else:
            self._unready = STALE if status.stale else None

    async def watch(self) -> None:
        """Get the status again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)
