"""An agent: the SDK's own client, one session with one server, and what became of each call."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mcp import Client
from msgspec import Struct

from demo.parts import Stage

LEGACY, MODERN = "legacy", "2026-07-28"


class Outcome(Struct, frozen=True):
    """What became of one call: what the agent saw, what was recorded, what arrived."""

    tool: str
    is_error: bool
    text: str
    record: dict[str, Any]
    reached: int
    milliseconds: float

    @property
    def effect(self) -> str:
        """Allow, deny or hold."""
        return str(self.record["effect"])

    @property
    def code(self) -> str:
        """The reason's code."""
        return str(self.record["reason"]["code"])

    @property
    def rule(self) -> str:
        """The rule that decided."""
        return str(self.record["rule"])


class Agent:
    """Calls tools, one at a time, and looks each call up in the records and at the server.

    A call that was held has a second record: what was decided when it went on.
    """

    def __init__(self, client: Client, stage: Stage, server: str, key: str) -> None:
        """Speak through `client`; `key` is the cooperative session key, or ""."""
        self._client = client
        self._stage = stage
        self._server = server
        self._meta: dict[str, Any] | None = {"tipstaff/session": key} if key else None

    async def call(self, tool: str, **arguments: Any) -> Outcome:
        """Call `tool`; raises when the answer is no tool result or no record was written."""
        reached, known = self._reached(), _size(self._stage.records)
        began = time.perf_counter()
        result = await self._client.call_tool(tool, arguments, meta=self._meta)
        milliseconds = (time.perf_counter() - began) * 1000
        text = " ".join(getattr(part, "text", "") for part in result.content)
        record = self._record(known, tool)
        arrived = self._reached() - reached
        return Outcome(tool, bool(result.is_error), text, record, arrived, milliseconds)

    def _reached(self) -> int:
        return len(self._stage.counted(self._server).read_text(encoding="utf-8").splitlines())

    def _record(self, known: int, tool: str) -> dict[str, Any]:
        with self._stage.records.open("rb") as file:
            file.seek(known)
            found = [json.loads(line) for line in file]
        decided = [record for record in found if record["type"] == "tipstaff.decision"]
        mine = [one for one in decided if (one["method"], one["target"]) == ("tools/call", tool)]
        if [one["effect"] for one in mine[:-1]] != ["hold"] * (len(mine) - 1):
            raise LookupError(f"{len(mine)} records of one call of {tool}")
        last: dict[str, Any] = mine[-1]
        return last


@contextlib.asynccontextmanager
async def agent(stage: Stage, server: str, era: str, key: str = "") -> AsyncIterator[Agent]:
    """A session with `server`, through the gateway."""
    async with Client(stage.url(server), mode=era) as client:
        yield Agent(client, stage, server, key if era == MODERN else "")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
