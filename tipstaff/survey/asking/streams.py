"""A transport's two ends as the MCP SDK wants them, each made of one function. Opens and closes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeAlias

import anyio
from mcp.shared.message import SessionMessage

Heard: TypeAlias = SessionMessage | Exception


class _Stream:
    """The common part of both ends: leaving one closes nothing, since others close the transport."""

    async def aclose(self) -> None:
        """Do nothing: see the class."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class Reading(_Stream):
    """The end that a session reads from."""

    def __init__(self, receive: Callable[[], Awaitable[Heard]]) -> None:
        """`receive` gives the next message, or raises `anyio.EndOfStream`."""
        self._receive = receive

    async def receive(self) -> Heard:
        """The next message."""
        return await self._receive()

    def __aiter__(self) -> Self:
        """Itself: every message once."""
        return self

    async def __anext__(self) -> Heard:
        """The next message."""
        try:
            return await self._receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class Writing(_Stream):
    """The end that a session writes to."""

    def __init__(self, send: Callable[[SessionMessage], Awaitable[None]]) -> None:
        """`send` takes a message, or raises `anyio.BrokenResourceError`."""
        self._send = send

    async def send(self, item: SessionMessage, /) -> None:
        """Send a message."""
        await self._send(item)
