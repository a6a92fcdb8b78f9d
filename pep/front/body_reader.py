"""Reads a request body from ASGI, bounded in bytes and in time, and sees the client go. Edge."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from pep.config import PepConfig
from pep.errors import BodyTooLarge, BodyTooSlow, InvalidRequest
from pep.front.departure import Departure
from pep.load.large_work import LARGE_BYTES
from pep.ports import Receive
from tipstaff.common.lifelong import heard

log = structlog.get_logger("pep")

Hold = Callable[[int], Awaitable[None]]


class ClientGoneError(Exception):
    """The client left before its message was whole, so there is no answer."""


async def read_body(
    receive: Receive, declared: int, config: PepConfig, hold: Hold, *, is_here: bool = False
) -> bytes:
    """The whole body; raises `BodyTooLarge`, `BodyTooSlow` or `ClientGoneError`.

    `declared` is the Content-Length, 0 when there is none; `is_here` means that all of it has arrived.
    Before more than a little of it is read, `hold` waits until so many bytes may be held; that is no
    fault of the client, and not counted as slow. Of a body that is too large, as much again is read and
    thrown away, so that the client gets to read the answer.
    """
    seconds, limit = config.body_timeout_ms / 1000, config.max_body_bytes
    if declared > 2 * limit:
        raise _too_large(limit)
    if declared > LARGE_BYTES:
        await hold(min(declared, limit))
    if is_here:
        late_hold = None if declared > LARGE_BYTES else partial(hold, limit)
        return await read_up_to(receive, limit, late_hold)
    try:
        async with asyncio.timeout(seconds) as deadline:

            async def hold_all() -> None:
                deadline.reschedule(None)
                await hold(limit)
                deadline.reschedule(asyncio.get_running_loop().time() + seconds)

            return await read_up_to(receive, limit, None if declared > LARGE_BYTES else hold_all)
    except TimeoutError as error:
        raise BodyTooSlow("The body did not arrive in time") from error


def unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """The message in a body of that Content-Encoding; raises `InvalidRequest` or `BodyTooLarge`.

    One gzip member or zlib stream and nothing after it: some parsers would read on, and some would not.
    """
    if coding in {"", "identity"}:
        return body
    stream = zlib.decompressobj(15 if coding == "deflate" else 31)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is not {coding}") from error
    if len(plain) > limit:
        raise _too_large(limit)
    if not stream.eof or stream.unused_data:
        raise InvalidRequest(f"the body is not one whole {coding} stream")
    return plain


async def read_up_to(
    receive: Receive, limit: int, hold: Callable[[], Awaitable[None]] | None = None
) -> bytes:
    """The body of at most `limit` bytes; raises `BodyTooLarge` or `ClientGoneError`.

    `hold` is awaited once, when the body turns out to be large.
    """
    body, size, more = bytearray(), 0, True
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
        if hold is not None and size > LARGE_BYTES:
            await hold()
            hold = None
    if size > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes")


async def until_gone(
    receive: Receive, work: Coroutine[Any, Any, None], departure: Departure | None = None
) -> None:
    """Do `work`, and cancel it the moment the client leaves.

    Closing the stream is how a modern client cancels, and it may do so before the upstream has
    sent a single header: so the connection is watched from the first moment on, not only while the
    answer is being relayed. Without the connection's `departure`, `receive` has to tell.
    """
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - a coroutine runs in a task
    is_gone = False

    def left() -> None:
        nonlocal is_gone
        is_gone = True
        main.cancel()

    watcher = None
    if departure is None:
        departure = Departure(lambda: None)
        watching = asyncio.ensure_future(_watch(receive, departure))
        watcher = heard("the client watched", watching)
    departure.watch(left)
    try:
        await work
    except asyncio.CancelledError:
        # This task may have been cancelled, too: the server does so when it stops.
        if not is_gone or main.uncancel() > 0:
            raise
        log.info("client gone")
    finally:
        departure.unwatch(left)
        if watcher is not None:
            watcher.cancel()


async def _watch(receive: Receive, departure: Departure) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    departure.happen()
