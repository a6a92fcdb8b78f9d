"""Hands a server's answer on to the client as it comes, each message screened first. Edge.

Events pass one by one, as soon as they are whole; a JSON body is one message and passes whole. What
nothing changes passes byte for byte, compressed if it was. A message too large to parse streams, as
long as it holds no word that would have had to be judged. What is neither JSON nor events is not
handed on: of a failure the status passes, and so it does where nobody waits for a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from msgspec import Struct

from pep.errors import AnswerUnreadable, Refusal
from pep.front import answer_head
from pep.front.answer_head import Form, Head
from pep.front.decoder import PIECE, Decoder
from pep.load.aside import LARGE_BYTES, aside
from pep.mcp.headers import Lines
from pep.mcp.jsonrpc import Id, render_error
from pep.mcp.message_bytes import Watch, check_begin, is_text, may_matter
from pep.mcp.sse import Event, Splitter
from pep.ports import Answer

MAX_INSPECTED = 8 * 1024 * 1024
# What is looked at before others may work.
_BITE = 32 * 1024
_MANY_EVENTS = 128
_REWRITTEN = frozenset({b"content-length", b"content-encoding", b"etag", b"digest"})

Begin = Callable[[int, Lines], Awaitable[None]]
Body = Callable[[bytes], Awaitable[None]]
Screened = Callable[[bytes], Awaitable[bytes]]

log = structlog.get_logger("pep")


class Client(Struct, frozen=True):
    """Where the answer goes: `begin` says status and lines, `part` bytes, `last` the last.

    `request_id` is what the client asked under, `None` when it waits for no message.
    """

    begin: Begin
    part: Body
    last: Body
    request_id: Id | None


async def relay(answer: Answer, screen: Screened, client: Client, more: Lines) -> None:
    """Hand the answer on; `more` are lines of our own. Raises `Refusal` before anything has gone.

    When the server breaks it off, or it turns out unreadable after it has begun, raises `LostError`
    or `AnswerUnreadable`: what has gone must not look whole.
    """
    head = answer_head.read(answer.status, answer.lines, more)
    decoder = Decoder(head.coding)
    if head.form is Form.EVENTS:
        await _events(answer, screen, client, decoder, head)
        return
    chunks = answer.chunks()
    try:
        raw, plain, watch = await _gathered(chunks, decoder, head)
        before = b"" if watch else bytes(plain)
        after = await screen(before) if before else before
    except AnswerUnreadable as fault:
        # Clients act on the status of a failure, and of what wants no answer; the body says why.
        if head.status < 300 and client.request_id is not None:
            raise
        log.warning("body not shown", status=head.status, reason=fault.message)
        await client.begin(head.status, head.without_body())
        await client.last(b"")
        return
    if watch is not None:
        await client.begin(head.status, head.lines)
        del plain
        await _large(chunks, client, decoder, watch, raw)
    elif after is before:
        await client.begin(head.status, head.lines)
        await client.last(bytes(raw) if decoder.changes else before)
    else:
        kept = [line for line in head.lines if line[0] not in _REWRITTEN]
        await client.begin(head.status, [*kept, (b"content-length", b"%d" % len(after))])
        await client.last(after)


async def _gathered(
    chunks: AsyncIterator[bytes], decoder: Decoder, head: Head
) -> tuple[bytearray, bytearray, Watch | None]:
    """The body as it came, and decoded; its beginning and a watch when it is too large to hold.

    Raises `AnswerUnreadable`.
    """
    raw = bytearray()
    plain = bytearray() if decoder.changes else raw
    async for chunk in chunks:
        if chunk and head.form is Form.UNREADABLE:
            raise AnswerUnreadable("the server's answer is neither JSON nor events in UTF-8")
        raw += chunk
        if decoder.changes:
            await _unpack(decoder, chunk, plain)
        if len(plain) > MAX_INSPECTED or len(raw) > MAX_INSPECTED:
            check_begin(bytes(plain[:_BITE]))
            watch = Watch()
            await _see(watch, plain)
            for piece in decoder.rest():
                await _see(watch, piece)
            return raw, plain, watch
        if len(raw) == head.length:
            break
    decoder.finish()
    return raw, plain, None


async def _unpack(decoder: Decoder, chunk: bytes, plain: bytearray) -> None:
    """Decode into `plain` until it is too large to hold; others work in between."""
    for piece in decoder.feed(chunk):
        plain += piece
        if len(plain) > MAX_INSPECTED:
            return
        await asyncio.sleep(0)


async def _see(watch: Watch, data: bytes | bytearray) -> None:
    """Look through a lot; others work in between."""
    for start in range(0, len(data), PIECE):
        watch.see(bytes(data[start : start + PIECE]))
        await asyncio.sleep(0)


async def _large(
    chunks: AsyncIterator[bytes], client: Client, decoder: Decoder, watch: Watch, begun: bytearray
) -> None:
    """The rest of a body that is too large to hold: watched, and broken off if need be."""
    held = bytes(begun)
    begun.clear()
    async for chunk in chunks:
        await client.part(held)
        held = chunk
        for piece in decoder.feed(chunk):
            await _see(watch, piece)
    decoder.finish()
    watch.finish()
    await client.last(held)


async def _events(
    answer: Answer, screen: Screened, client: Client, decoder: Decoder, head: Head
) -> None:
    dropped = {b"content-length", b"content-encoding"}
    await client.begin(head.status, [line for line in head.lines if line[0] not in dropped])
    stream = _Stream(screen, client)
    async for chunk in answer.chunks():
        for piece in decoder.feed(chunk):
            if passed := await stream.feed(piece):
                await client.part(passed)
            if decoder.changes:
                await asyncio.sleep(0)
    decoder.finish()
    await client.last(await stream.end())


class _Stream:
    """The events of one answer."""

    def __init__(self, screen: Screened, client: Client) -> None:
        self._screen = screen
        self._client = client
        self._splitter = Splitter()
        self._watch: Watch | None = None

    async def feed(self, piece: bytes) -> bytes:
        """What of it may go on now; raises `AnswerUnreadable`."""
        passed = []
        for start in range(0, len(piece), _BITE):
            for number, event in enumerate(self._splitter.feed(piece[start : start + _BITE]), 1):
                passed.append(await self._event(event))
                if number % _MANY_EVENTS == 0:
                    await asyncio.sleep(0)
        if self._splitter.waiting > MAX_INSPECTED:
            part = self._splitter.take()
            if self._watch is None:
                check_begin(Event(part[:_BITE]).data)
                self._watch = Watch()
            await _see(self._watch, part)
            passed.append(part)
        return b"".join(passed)

    async def end(self) -> bytes:
        """What is left when the stream has ended."""
        return b"".join([await self._event(event) for event in self._splitter.end()])

    async def _event(self, event: Event) -> bytes:
        raw = event.raw
        if self._watch is not None:
            await _see(self._watch, raw)
            self._watch.finish()
            self._watch = None
            return raw
        if len(raw) <= LARGE_BYTES and event.is_plain and not may_matter(raw):
            return raw
        return await self._judged(event)

    async def _judged(self, event: Event) -> bytes:
        request_id, data = self._client.request_id, event.raw
        try:
            data = await aside(len(data), _data, event)
            passed = await self._screen(data) if data else data
        except Refusal as fault:
            log.warning("event not shown", code=fault.code, reason=fault.message)
            passed = b"" if request_id is None else render_error(request_id, fault)
        if passed is data and await aside(len(event.raw), _is_sure, event, data):
            return event.raw
        return event.with_data(passed) if passed else event.without_data()


def _data(event: Event) -> bytes:
    """The data of an event that is text throughout; raises `AnswerUnreadable`."""
    data = event.data
    if data and not is_text(event.raw):
        raise AnswerUnreadable("the server's event is no text in UTF-8")
    return data


def _is_sure(event: Event, data: bytes) -> bool:
    """Whether no reader finds anything to judge in the event but in its data."""
    if data and not event.is_doubtful:
        return True
    return is_text(event.raw) and not may_matter(event.raw)
