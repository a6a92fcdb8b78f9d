"""Reads a request body from ASGI, bounded in bytes and in time. Edge: asyncio."""

from __future__ import annotations

import asyncio

from pep.config import PepConfig
from pep.errors import BodyTooLarge, BodyTooSlow
from pep.ports import Receive


class ClientGoneError(Exception):
    """The client left before its message was whole: there is nobody to answer."""


async def read_body(receive: Receive, declared: int, config: PepConfig) -> bytes:
    """The whole body; raises `BodyTooLarge`, `BodyTooSlow` or `ClientGoneError`.

    `declared` is the Content-Length, 0 when there is none. Of a body that is too large, as much
    again is read and thrown away, so that the client gets to read the answer.
    """
    try:
        async with asyncio.timeout(config.body_timeout_ms / 1000):
            return await _read(receive, declared, config.max_body_bytes)
    except TimeoutError as error:
        raise BodyTooSlow("The body did not arrive in time") from error


async def _read(receive: Receive, declared: int, limit: int) -> bytes:
    too_large = BodyTooLarge(f"The body is larger than {limit} bytes")
    body, size, more = bytearray(), 0, True
    if declared > 2 * limit:
        raise too_large
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > 2 * limit:
            break
        if size <= limit:
            if not more and not body:
                return bytes(chunk)
            body += chunk
    if size > limit:
        raise too_large
    return bytes(body)
