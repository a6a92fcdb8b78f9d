"""Hands a server's answer on to the client as it comes, each message screened first. Edge.

Events pass one by one, as soon as they are whole; a JSON body is one message and passes whole. What
nothing changes passes byte for byte, compressed if it was. A message too large to parse streams, as
long as it holds no word that would have had to be judged.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import structlog
from msgspec import Struct

from pep.errors import AnswerUnreadable, Refusal
from pep.events import Event, Splitter
from pep.headers import Lines, to_client
from pep.inspect import LONGEST_WORD, may_matter, may_matter_though_large
from pep.jsonrpc import Id, render_error
from pep.ports import Answer, LostError

MAX_INSPECTED = 8 * 1024 * 1024
_PIECE = 256 * 1024
_CODINGS = frozenset({b"", b"identity", b"gzip", b"x-gzip", b"deflate"})
_REWRITTEN = frozenset({b"content-length", b"content-encoding", b"etag", b"digest"})

Begin = Callable[[int, Lines], Awaitable[None]]
Body = Callable[[bytes], Awaitable[None]]
Screened = Callable[[bytes], Awaitable[bytes]]

log = structlog.get_logger("pep")


class Client(Struct, frozen=True):
    """Where the answer goes: `begin` says status and lines, `part` bytes, `last` the last.

    `request_id` is what the client asked under, `None` when it only listens.
    """

    begin: Begin
    part: Body
    last: Body
    request_id: Id | None


async def relay(answer: Answer, screen: Screened, client: Client, more: Lines) -> None:
    """Hand the answer on; `more` are lines of our own. Raises `Refusal` before anything has gone.

    Raises `LostError` when it breaks off: what has gone must not look whole.
    """
    lines = [*to_client(answer.lines), *more]
    media, coding = _value(lines, b"content-type"), _value(lines, b"content-encoding")
    media = media.partition(b";")[0].strip()
    if coding not in _CODINGS:
        raise AnswerUnreadable(f"the server answers in the coding {coding.decode('latin-1')!r}")
    opened = _Decoder(coding)
    if media == b"text/event-stream":
        await _events(answer, screen, client, opened, lines)
    elif media in {b"", b"application/json", b"text/plain"} or media.endswith(b"+json"):
        await _whole(answer, screen, client, opened, lines)
    else:
        await client.begin(answer.status, lines)
        await _rest(answer.chunks(), client, _length(lines))


async def _whole(
    answer: Answer, screen: Screened, client: Client, opened: _Decoder, lines: Lines
) -> None:
    raw = bytearray()
    plain = bytearray() if opened.changes else raw
    length, chunks = _length(lines), answer.chunks()
    async for chunk in chunks:
        raw += chunk
        for piece in opened.feed(chunk) if opened.changes else ():
            plain += piece
            if len(plain) > MAX_INSPECTED:
                break
        if len(plain) > MAX_INSPECTED or len(raw) > MAX_INSPECTED:
            await _large(answer.status, chunks, client, opened, lines, (raw, plain))
            return
        if len(raw) == length:
            break
    before = bytes(plain)
    after = await screen(before)
    if after is before:
        await client.begin(answer.status, lines)
        await client.last(bytes(raw) if opened.changes else before)
        return
    kept = [line for line in lines if line[0] not in _REWRITTEN]
    await client.begin(answer.status, [*kept, (b"content-length", b"%d" % len(after))])
    await client.last(after)


async def _large(
    status: int,
    chunks: AsyncIterator[bytes],
    client: Client,
    opened: _Decoder,
    lines: Lines,
    begun: tuple[bytearray, bytearray],
) -> None:
    """The rest of a body that is too large to hold: watched, and broken off if need be."""
    raw, plain = begun
    watch = _Watch()
    for start in range(0, len(plain), _PIECE):
        watch.see(bytes(plain[start : start + _PIECE]))
    for piece in opened.rest():
        watch.see(piece)
    await client.begin(status, lines)
    left = _length(lines) - len(raw) if _length(lines) >= 0 else -1
    begun_raw = bytes(raw)
    raw.clear()
    plain.clear()
    await client.part(begun_raw)
    del begun_raw

    async def watched() -> AsyncIterator[bytes]:
        async for chunk in chunks:
            for piece in opened.feed(chunk):
                watch.see(piece)
            yield chunk

    await _rest(watched(), client, left)


async def _rest(chunks: AsyncIterator[bytes], client: Client, left: int) -> None:
    if left == 0:
        await client.last(b"")
        return
    async for chunk in chunks:
        left -= len(chunk)
        if left == 0:
            await client.last(chunk)
            return
        await client.part(chunk)
    await client.last(b"")


async def _events(
    answer: Answer, screen: Screened, client: Client, opened: _Decoder, lines: Lines
) -> None:
    dropped = {b"content-length", b"content-encoding"}
    await client.begin(answer.status, [line for line in lines if line[0] not in dropped])
    stream = _Stream(screen, client)
    async for chunk in answer.chunks():
        for piece in opened.feed(chunk):
            if passed := await stream.feed(piece):
                await client.part(passed)
    await client.last(await stream.end())


class _Stream:
    """The events of one answer."""

    def __init__(self, screen: Screened, client: Client) -> None:
        self._screen = screen
        self._client = client
        self._splitter = Splitter()
        self._watch: _Watch | None = None

    async def feed(self, piece: bytes) -> bytes:
        """What of it may go on now."""
        passed = b"".join([await self._event(event) for event in self._splitter.feed(piece)])
        if self._splitter.waiting > MAX_INSPECTED:
            self._watch = self._watch or _Watch()
            part = self._splitter.take()
            self._watch.see(part)
            passed += part
        return passed

    async def end(self) -> bytes:
        return b"".join([await self._event(event) for event in self._splitter.end()])

    async def _event(self, event: Event) -> bytes:
        if self._watch is not None:
            self._watch.see(event.raw)
            self._watch = None
            return event.raw
        return event.raw if not may_matter(event.raw) else await self._judged(event)

    async def _judged(self, event: Event) -> bytes:
        data = event.data
        try:
            passed = await self._screen(data)
        except Refusal as fault:
            log.warning("event not shown", code=fault.code, reason=fault.message)
            request_id = self._client.request_id
            passed = b"" if request_id is None else render_error(request_id, fault)
        if passed is data and not event.is_doubtful:
            return event.raw
        return event.with_data(passed) if passed else event.without_data()


class _Watch:
    """Looks through what streams for words that would have had to be judged."""

    def __init__(self) -> None:
        self._tail = b""

    def see(self, piece: bytes) -> None:
        """Raises `LostError`."""
        seen = self._tail + piece
        if may_matter_though_large(seen):
            log.warning("answer broken off: too large to be judged")
            raise LostError("too large to be judged")
        self._tail = seen[-LONGEST_WORD:]


class _Decoder:
    """Bytes of the answer to bytes of its message, piece by piece of bounded size."""

    def __init__(self, coding: bytes) -> None:
        # 47: gzip or zlib, by the header (zlib manual, inflateInit2).
        self._zlib = None if coding in {b"", b"identity"} else zlib.decompressobj(47)
        self._tail = b""

    @property
    def changes(self) -> bool:
        """Whether there is anything to decode."""
        return self._zlib is not None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The decoded pieces of `chunk`; raises `AnswerUnreadable`."""
        if self._zlib is None:
            yield chunk
            return
        self._tail += chunk
        yield from self.rest()

    def rest(self) -> Iterator[bytes]:
        """What was fed and not yet taken."""
        while self._zlib is not None and self._tail:
            if self._zlib.eof:  # gzip may go on with another member (RFC 1952 section 2.2)
                self._zlib = zlib.decompressobj(47)
            try:
                piece = self._zlib.decompress(self._tail, _PIECE)
            except zlib.error as error:
                raise AnswerUnreadable(
                    f"the server's answer does not decompress: {error}"
                ) from error
            self._tail = self._zlib.unconsumed_tail or self._zlib.unused_data
            if piece:
                yield piece
            elif not self._zlib.eof:
                return


def _value(lines: Lines, wanted: bytes) -> bytes:
    return b",".join(value.strip().lower() for name, value in lines if name == wanted)


def _length(lines: Lines) -> int:
    """The Content-Length of an answer; -1 when there is none."""
    return next((int(value) for name, value in lines if name == b"content-length"), -1)
