"""Requests read and replies sent by the rules of ASGI. Edge: ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from tipstaff.console import requests
from tipstaff.console.requests import RefusedError

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
COOKIE = "tipstaff-console"
TYPES = MappingProxyType(
    {"js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8"}
)
HTML = (b"content-type", b"text/html; charset=utf-8")
"""The header line of a page."""


class Reply(Struct, frozen=True):
    """What a request gets."""

    status: int
    body: bytes = b""
    lines: tuple[tuple[bytes, bytes], ...] = (HTML,)


def see(path: str, *lines: tuple[bytes, bytes]) -> Reply:
    """A reply that leads to another page."""
    return Reply(303, lines=((b"location", path.encode()), *lines))


def cookie(secret: str, age: int = 12 * 3600) -> tuple[bytes, bytes]:
    """The cookie, which goes with requests of our own pages alone. Plain, since only this machine is served."""
    text = f"{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}"
    return b"set-cookie", text.encode()


async def reply(send: Send, answer: Reply) -> None:
    """Send a whole reply."""
    length = (b"content-length", b"%d" % len(answer.body))
    lines = [*answer.lines, length, *requests.SECURITY_LINES]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": answer.body})


async def part(send: Send, data: bytes) -> None:
    """Send a part of a reply that goes on."""
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def body(receive: Receive) -> bytes:
    """The body of a request; raises `RefusedError` for one that is too large, or has no end."""
    read = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the request ended early")
        read += message.get("body", b"")
        if len(read) > requests.MAX_FORM:
            raise RefusedError(413, "the form is too large")
        if not message.get("more_body"):
            return bytes(read)


async def until_gone(receive: Receive, work: Awaitable[None]) -> None:
    """Do `work` until it ends, or the client is gone."""
    leaving = asyncio.ensure_future(_gone(receive))
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({leaving, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (leaving, working):
            task.cancel()
        await asyncio.gather(leaving, working, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
