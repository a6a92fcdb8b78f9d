"""A server's response on its way to the client, each message filtered first, as a machine without I/O. Pure.

Events pass one by one, as soon as they are whole; a JSON body is one message and passes whole. An
unchanged body passes byte for byte, compressed if it was. A message too large to parse streams, as
long as it holds no word that would have had to be judged. A body that is neither JSON nor events is not
handed on; its status passes when the response is a failure or the client waits for no message.

The machine is a generator: it yields the next `Action` and is sent its result, so that scripts
without sockets can test it (`tests/unit/pep/front/test_relay.py`). `relay_io` carries the actions out.
An action that fails with a `Refusal` has it thrown in at its `yield`; every other failure ends the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from msgspec import Struct

from pep.errors import AnswerUnreadable, Refusal
from pep.front import answer_head
from pep.front.answer_head import Form, Head
from pep.front.decoder import PIECE, Decoder
from pep.mcp.headers import HeaderLines
from pep.mcp.jsonrpc import Id, render_error
from pep.mcp.message_bytes import Watch, check_begin, is_text, may_matter
from pep.mcp.sse import Event, Splitter

MAX_INSPECTED = 8 * 1024 * 1024
# Bytes that are scanned before other exchanges may work.
_BITE = 64 * 1024
_MANY_EVENTS = 128
_LARGE_EVENT = 256 * 1024
_REWRITTEN = frozenset({b"content-length", b"content-encoding", b"etag", b"digest"})
_DROPPED_OF_EVENTS = frozenset({b"content-length", b"content-encoding"})


class Read(Struct, frozen=True):
    """Read the body's next bytes; the reply is those, `None` at the end of the body."""


class Filter(Struct, frozen=True):
    """Have a message judged; the reply is the message that the client may see: the same, another, or nothing."""

    message: bytes


class Begin(Struct, frozen=True):
    """Send the client the status and the header lines."""

    status: int
    lines: HeaderLines


class Part(Struct, frozen=True):
    """Send the client more of the body."""

    data: bytes


class Last(Struct, frozen=True):
    """Send the client the rest of the body."""

    data: bytes


class Yield(Struct, frozen=True):
    """Let other exchanges work."""


class Warn(Struct, frozen=True):
    """Write a warning to the log: the part that the client is not shown, and why."""

    event: str
    fields: dict[str, Any]


class Compute(Struct, frozen=True):
    """Do `work` on `size` bytes, which may take long; the reply is its result."""

    size: int
    work: Callable[[], Any]


Action = Read | Filter | Begin | Part | Last | Yield | Warn | Compute

_READ, _YIELD = Read(), Yield()


def relay(
    status: int,
    raw_lines: tuple[tuple[bytes, bytes], ...],
    added_lines: HeaderLines,
    request_id: Id | None,
) -> Generator[Action, Any, None]:
    """Hand a response on. Raises `Refusal` before anything has been sent.

    `added_lines` are header lines of the proxy's own; `request_id` is the id of the client's request,
    `None` when it waits for no message. When the response turns out unreadable after it has begun, raises
    `AnswerUnreadable`: what has been sent must not look whole.
    """
    head = answer_head.read(status, raw_lines, added_lines)
    decoder = Decoder(head.coding)
    if head.form is Form.EVENTS:
        yield from _events(head, decoder, request_id)
        return
    try:
        raw, plain, watch = yield from _gather(head, decoder)
        before = b"" if watch else bytes(plain)
        after: bytes = (yield Filter(before)) if before else before
    except AnswerUnreadable as fault:
        # Clients act on the status of a failure, or where they wait for no message; only the reason is lost.
        if head.status < 300 and request_id is not None:
            raise
        yield Warn("body not shown", {"status": head.status, "reason": fault.message})
        yield Begin(head.status, head.without_body())
        yield Last(b"")
        return
    if watch is not None:
        yield Begin(head.status, head.lines)
        del plain
        yield from _large(decoder, watch, raw)
    elif after is before:
        yield Begin(head.status, head.lines)
        yield Last(bytes(raw) if decoder.changes else before)
    else:
        kept = [line for line in head.lines if line[0] not in _REWRITTEN]
        yield Begin(head.status, [*kept, (b"content-length", b"%d" % len(after))])
        yield Last(after)


def _gather(
    head: Head, decoder: Decoder
) -> Generator[Action, Any, tuple[bytearray, bytearray, Watch | None]]:
    """The body as it came, and decoded; its beginning and a watch when it is too large to hold.

    Raises `AnswerUnreadable`.
    """
    raw = bytearray()
    plain = bytearray() if decoder.changes else raw
    while (chunk := (yield _READ)) is not None:
        if chunk and head.form is Form.UNREADABLE:
            raise AnswerUnreadable("the server's answer is neither JSON nor events in UTF-8")
        raw += chunk
        if decoder.changes:
            yield from _unpack(decoder, chunk, plain)
        if len(plain) > MAX_INSPECTED or len(raw) > MAX_INSPECTED:
            check_begin(bytes(plain[:_BITE]))
            watch = Watch()
            yield from _see(watch, plain)
            for piece in decoder.rest():
                yield from _see(watch, piece)
            return raw, plain, watch
        if len(raw) == head.length:
            break
    decoder.finish()
    return raw, plain, None


def _unpack(decoder: Decoder, chunk: bytes, plain: bytearray) -> Generator[Action, Any, None]:
    """Decode into `plain` until it is too large to hold; other exchanges work in between."""
    for piece in decoder.feed(chunk):
        plain += piece
        if len(plain) > MAX_INSPECTED:
            return
        yield _YIELD


def _see(watch: Watch, data: bytes | bytearray) -> Generator[Action, Any, None]:
    """Scan many bytes; other exchanges work in between."""
    for start in range(0, len(data), PIECE):
        watch.see(bytes(data[start : start + PIECE]))
        yield _YIELD


def _large(decoder: Decoder, watch: Watch, begun: bytearray) -> Generator[Action, Any, None]:
    """Stream the rest of a body that is too large to hold; scan it, and break it off if need be.

    A piece is scanned before it is sent, and the last one waits for the end of the body: a body that is
    broken off never looks whole.
    """
    held = bytes(begun)
    begun.clear()
    while (chunk := (yield _READ)) is not None:
        yield Part(held)
        held = chunk
        for piece in decoder.feed(chunk):
            yield from _see(watch, piece)
    decoder.finish()
    watch.finish()
    yield Last(held)


def _events(head: Head, decoder: Decoder, request_id: Id | None) -> Generator[Action, Any, None]:
    """Filter an event stream."""
    yield Begin(head.status, [line for line in head.lines if line[0] not in _DROPPED_OF_EVENTS])
    stream = EventFilter(request_id)
    while (chunk := (yield _READ)) is not None:
        for piece in decoder.feed(chunk):
            if data := (yield from stream.feed(piece)):
                yield Part(data)
            if decoder.changes:
                yield _YIELD
    decoder.finish()
    yield Last((yield from stream.end()))


class EventFilter:
    """The events of one response; `request_id` is as for `relay`."""

    def __init__(self, request_id: Id | None) -> None:
        """Begin at the first event."""
        self._request_id = request_id
        self._splitter = Splitter()
        self._watch: Watch | None = None

    def feed(self, piece: bytes) -> Generator[Action, Any, bytes]:
        """The bytes that may be sent now; raises `AnswerUnreadable`."""
        parts: list[bytes] = []
        for start in range(0, len(piece), _BITE):
            if start:
                yield _YIELD
            self._splitter.add(piece[start : start + _BITE])
            parts.append(self._harmless())
            for number, event in enumerate(self._splitter.events(), 1):
                parts.append((yield from self._event(event)))
                if number % _MANY_EVENTS == 0:
                    yield _YIELD
            if self._splitter.waiting > MAX_INSPECTED:
                parts.append((yield from self._too_large()))
        return b"".join(parts)

    def end(self) -> Generator[Action, Any, bytes]:
        """The bytes that are left when the stream has ended."""
        events = self._splitter.end()  # an event that never ended, or none
        return (yield from self._event(events[0])) if events else b""

    def _harmless(self) -> bytes:
        """The next events, all at once, when nothing in them can matter; in any doubt none of them.

        What waits from before is short, so that no byte is scanned more than a few times.
        """
        if self._watch is not None or self._splitter.waiting > 2 * _BITE:
            return b""
        events = self._splitter.plain_events()
        if not events or may_matter(events):
            return b""
        self._splitter.drop(len(events))
        return events

    def _too_large(self) -> Generator[Action, Any, bytes]:
        """What there is of an event too large to hold: it streams by, and is watched until it ends."""
        begun = self._splitter.take()
        if self._watch is None:
            check_begin(Event(begun[:_BITE]).data)
            self._watch = Watch()
        yield from _see(self._watch, begun)
        return begun

    def _event(self, event: Event) -> Generator[Action, Any, bytes]:
        raw = event.raw
        if self._watch is not None:
            yield from _see(self._watch, raw)
            self._watch.finish()
            self._watch = None
            return raw
        if len(raw) <= _LARGE_EVENT and event.is_plain and not may_matter(raw):
            return raw
        return (yield from self._judged(event))

    def _judged(self, event: Event) -> Generator[Action, Any, bytes]:
        request_id, data = self._request_id, event.raw
        try:
            data = yield Compute(len(data), lambda: _data(event))
            shown: bytes = (yield Filter(data)) if data else data
        except Refusal as fault:
            yield Warn("event not shown", {"code": fault.code, "reason": fault.message})
            shown = b"" if request_id is None else render_error(request_id, fault)
        if shown is data and (yield Compute(len(event.raw), lambda: _is_sure(event, data))):
            return event.raw
        return event.with_data(shown) if shown else event.without_data()


def _data(event: Event) -> bytes:
    """The data of an event that is text throughout; raises `AnswerUnreadable`."""
    data = event.data
    if data and not is_text(event.raw):
        raise AnswerUnreadable("the server's event is no text in UTF-8")
    return data


def _is_sure(event: Event, data: bytes) -> bool:
    """Whether no client could find anything to judge outside of the event's data."""
    if data and not event.is_doubtful:
        return True
    return is_text(event.raw) and not may_matter(event.raw)
