"""A server that is started to be asked: what it said before it ended is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCNotification

from pep.ports import LostError
from tipstaff.survey.asking import spawned
from tipstaff.survey.asking.spawned import Spawned

MESSAGE = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized"))


class Ended:
    """A child that takes no line any more; what it had said arrives when `arrived` is set."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    async def write(self, line: bytes) -> None:
        raise LostError("it has ended")

    async def lines(self) -> AsyncIterator[bytes | None]:
        await self.arrived.wait()
        yield b"API_KEY is missing"


def process_of(child: Any) -> Spawned:
    return Spawned(None, child, None)  # type: ignore[arg-type]


async def test_a_write_that_fails_waits_for_what_the_server_had_said() -> None:
    """The failure ends the session, and nothing is read any more."""
    child = Ended()
    process = process_of(child)
    async with process.transport() as (reading, writing):
        listening = asyncio.ensure_future(reading.receive())
        failing = asyncio.ensure_future(writing.send(MESSAGE))
        await asyncio.sleep(0.01)
        assert not failing.done()
        child.arrived.set()
        with pytest.raises(anyio.BrokenResourceError):
            await failing
        assert process.noise == "API_KEY is missing"
        with pytest.raises(anyio.EndOfStream):
            await listening


async def test_it_does_not_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that the server has started may hold its output open."""
    monkeypatch.setattr(spawned, "_REAP_SECONDS", 0.02)
    process = process_of(Ended())
    async with process.transport() as (_, writing):
        with pytest.raises(anyio.BrokenResourceError):
            await asyncio.wait_for(writing.send(MESSAGE), 5)
