"""A server started for one session, as a transport of the MCP SDK. Edge: a process and its pipes.

It leads a process group of its own, and is ended with all that it has started, however the visit
ends. What it writes beside MCP is kept, to be shown when it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from pep.config import Server
from pep.mcp.lines import MAX_LINE
from pep.ports import LostError
from pep.upstreams.child import Child
from tipstaff.common import child_process
from tipstaff.survey.asking.mcp_session import MOST_BYTES
from tipstaff.survey.asking.streams import Heard, Reading, Writing
from tipstaff.survey.asking.tail import Tail

_MOST_NOISE = 1000
_SHOWN_NOISE = 3
_REAP_SECONDS = 0.5


@contextlib.asynccontextmanager
async def running(server: Server, environment: Mapping[str, str]) -> AsyncIterator[Spawned]:
    """The process of `server`, until the block ends; raises `OSError` when it cannot be started."""
    reading, writing = os.pipe()
    errors = Tail(reading)
    try:
        started = await child_process.start(
            server.command,
            environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=writing,
        )
    except BaseException:
        errors.close()
        raise
    finally:
        os.close(writing)
    child = Child(server.name, started)
    try:
        yield Spawned(started, child, errors)
    finally:
        try:
            await child.end()
        except BaseException:  # interrupted a second time: no more patience
            child_process.signal_group(started, signal.SIGKILL)
            raise
        finally:
            errors.close()
            _let_go(started)


def _let_go(started: asyncio.subprocess.Process) -> None:
    """Close its pipes, also where they have not been read to their end: nothing public does that."""
    with contextlib.suppress(PermissionError):
        started._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


class Spawned:
    """A running server, and its output that is not MCP."""

    def __init__(self, started: asyncio.subprocess.Process, child: Child, errors: Tail) -> None:
        """See `running`."""
        self._started = started
        self._child = child
        self._errors = errors
        self._noise: list[bytes] = []
        self._noise_count = 0
        self._bytes = 0
        self._closed = asyncio.Event()
        self.is_too_much = False

    @property
    def noise(self) -> str:
        """The first lines of its output that were not MCP."""
        return b"\n".join(self._noise).decode(errors="replace")

    @property
    def errors(self) -> str:
        """The end of what it wrote to its stderr."""
        return self._errors.text()

    @contextlib.asynccontextmanager
    async def transport(self) -> AsyncIterator[tuple[Reading, Writing]]:
        """Its pipes."""
        lines: AsyncGenerator[bytes | None] = self._child.lines()  # type: ignore[assignment]

        async def receive() -> Heard:
            async for line in lines:
                message = self._heard(line)
                if message is not None:
                    return message
            self._closed.set()
            raise anyio.EndOfStream

        async with contextlib.aclosing(lines):
            yield Reading(receive), Writing(self._write)

    async def own_exit(self) -> int | None:
        """The exit code of a server that has ended by itself, which comes a moment after the end of its output."""
        if self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REAP_SECONDS):
                    await child_process.exit_code(self._started, look_seconds=0.01)
        return self._started.returncode

    async def _write(self, item: SessionMessage) -> None:
        try:
            await self._child.write(
                item.message.model_dump_json(by_alias=True, exclude_unset=True).encode()
            )
        except LostError as error:
            # It has gone. What it said before that tells why, and may not have been read yet.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REAP_SECONDS):
                    await self._closed.wait()
            raise anyio.BrokenResourceError from error

    def _heard(self, line: bytes | None) -> SessionMessage | None:
        """The message in a line; `None` when there is none. Too many bytes end the session."""
        self._bytes += MAX_LINE if line is None else len(line)
        if line is None or self._bytes > MOST_BYTES or self._noise_count > _MOST_NOISE:
            self.is_too_much = True
            raise anyio.EndOfStream
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            if line.strip():
                self._noise_count += 1
                self._noise += [line] if len(self._noise) < _SHOWN_NOISE else []
            return None
