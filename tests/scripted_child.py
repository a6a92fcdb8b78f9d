"""A child without a process: says what the test tells it to, and keeps what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any


class ScriptedChild:
    """Stands where `pep.upstreams.child.Child` does; `is_deaf` takes no line any more."""

    def __init__(self, pid: int = 1) -> None:
        self.pid = pid
        self.exit_code: int | None = None
        self.written: list[bytes] = []
        self.is_deaf = False
        self.is_ended = False
        self.ends = asyncio.Event()
        self.ends.set()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._over = object()

    def say(self, *lines: bytes | dict[str, Any] | None) -> None:
        for line in lines:
            self._lines.put_nowait(json.dumps(line).encode() if isinstance(line, dict) else line)

    def crash(self) -> None:
        self._lines.put_nowait(self._over)  # type: ignore[arg-type]

    @property
    def heard(self) -> list[Any]:
        return [json.loads(line) for line in self.written]

    def called(self, method: str) -> list[Any]:
        """The ids of the requests of this method."""
        return [line["id"] for line in self.heard if line.get("method") == method]

    async def write(self, line: bytes) -> None:
        if self.is_deaf:
            await asyncio.sleep(600)
        self.written.append(line)

    async def lines(self) -> AsyncIterator[bytes | None]:
        while (line := await self._lines.get()) is not self._over:
            yield line

    async def end(self) -> int:
        await self.ends.wait()
        self.is_ended = True
        self.crash()
        return 0


class Clock:
    """Tells the time that the test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def settle() -> None:
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def request(method: str, request_id: Any, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return json.dumps(message).encode()


def notification(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


def result(request_id: Any, **members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": members}).encode()
