"""The client of OPA, over its unix socket. Every failure is an answer that denies, never an exception."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from pdp import answer
from pdp.answer import BatchAnswer
from pdp.policy.input import query

_QUERY = "http://opa/v1/data/mcp/main/decisions?provenance=true&strict-builtin-errors=true"
_STATUS = "http://opa/v1/status"
_HEALTH = "http://opa/health?bundles"
_HEADERS = {"Content-Type": "application/json"}
_LARGE_BYTES = 256 * 1024


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

    def __init__(self, socket: Path, timeout_ms: int, connections: int) -> None:
        """Connect on first use; must be made inside the running event loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(socket), limit=connections + 1),
            timeout=aiohttp.ClientTimeout(total=timeout_ms / 1000),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def ask(self, inputs: Sequence[bytes]) -> BatchAnswer:
        """See `PolicyEngine.ask`."""
        question = query(inputs)
        # A large query is written piece by piece, so that it does not hold up the others.
        data = io.BytesIO(question) if len(question) > _LARGE_BYTES else question
        try:
            async with self._session.post(_QUERY, data=data) as response:
                body = await response.read()
        except TimeoutError:
            return answer.late(len(inputs))
        except (aiohttp.ClientError, OSError) as error:
            return answer.unavailable(f"OPA cannot be reached: {error}", len(inputs))
        return answer.read(response.status, body, len(inputs))

    async def ask_each(self, inputs: Sequence[bytes]) -> list[BatchAnswer]:
        """See `PolicyEngine.ask_each`."""
        return await asyncio.gather(*(self.ask([single]) for single in inputs))

    async def ready(self) -> bool:
        """Whether OPA runs and its bundle is active."""
        try:
            async with self._session.get(_HEALTH) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def bundle_status(self, name: str) -> BundleStatus | None:
        """OPA's status of the bundle `name`; `None` when OPA does not answer."""
        try:
            async with self._session.get(_STATUS) as response:
                body = await response.read()
            return msgspec.json.decode(body, type=_StatusEnvelope).result.bundles.get(name)
        except (aiohttp.ClientError, OSError, TimeoutError, *answer.UNREADABLE):
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
