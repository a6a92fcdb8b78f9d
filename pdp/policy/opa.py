"""The client of OPA, over its unix socket. Every failure is an answer that denies, never an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pdp import answer
from pdp.answer import BatchAnswer
from pdp.policy.input import query
from tipstaff.common.http_answer import LostError
from tipstaff.common.http_pool import Origin, Pool

_QUERY = (
    b"POST /v1/data/mcp/main/decisions?provenance=true&strict-builtin-errors=true HTTP/1.1\r\n"
    b"Host: opa\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
_STATUS = b"GET /v1/status HTTP/1.1\r\nHost: opa\r\n\r\n"
_HEALTH = b"GET /health?bundles HTTP/1.1\r\nHost: opa\r\n\r\n"
_IDLE_SECONDS = 60.0


class BundleStatus(Struct, frozen=True):
    """OPA's status of its bundle: the active revision, and why a newer one failed to load."""

    active_revision: str = ""
    code: str = ""
    message: str = ""
    errors: list[msgspec.Raw] = []


class _Status(Struct):
    bundles: dict[str, BundleStatus] = {}


class _StatusEnvelope(Struct):
    result: _Status = msgspec.field(default_factory=_Status)


class OpaEngine:
    """The policy engine of `pdp.ports`, over HTTP/1.1 on a unix socket."""

    def __init__(
        self,
        socket: Path,
        timeout_ms: int,
        connections: int,
        gone: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect on first use; more than `connections` queries at once wait for each other.

        `gone` is called when OPA closes a connection, as it does when it ends.
        """
        self._origin = Origin(socket=str(socket))
        self._free = asyncio.Semaphore(connections + 1)
        self._seconds = timeout_ms / 1000
        self._pool = Pool(connect_seconds=self._seconds, idle_seconds=_IDLE_SECONDS, on_lost=gone)

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        """See `PolicyEngine.ask`."""
        question = query(inputs)
        try:
            status, body = await self._exchange(_QUERY % len(question), question)
        except TimeoutError:
            return answer.late(len(inputs))
        except (LostError, OSError) as error:
            return answer.unavailable(f"OPA cannot be reached: {error}", len(inputs))
        return answer.read(status, body, len(inputs))

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        """See `PolicyEngine.ask_each`."""
        return await asyncio.gather(*(self.ask([single]) for single in inputs))

    async def ready(self) -> bool:
        """Whether OPA runs and its bundle is active."""
        try:
            status, _ = await self._exchange(_HEALTH)
        except (LostError, OSError):
            return False
        return status == 200

    async def bundle_status(self, name: str) -> BundleStatus | None:
        """OPA's status of the bundle `name`; `None` when OPA does not answer."""
        try:
            _, body = await self._exchange(_STATUS)
            return msgspec.json.decode(body, type=_StatusEnvelope).result.bundles.get(name)
        except (LostError, OSError, *answer.UNREADABLE):
            return None

    async def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    async def _exchange(self, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body of the answer; every question may be repeated, since none changes anything."""
        async with asyncio.timeout(self._seconds), self._free:
            answered = await self._pool.ask(self._origin, head, body)
            try:
                return answered.status, await answered.read()
            finally:
                answered.close()
