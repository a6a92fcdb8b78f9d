"""Server-Sent Events, cut into events as their bytes arrive. Pure.

Reads the stream as the HTML specification says (section 9.2.6): lines end in CR LF, LF or CR, and an
empty line ends an event. An event that is not changed is handed on as its bytes came.
"""

from __future__ import annotations

import re

from msgspec import Struct

from pep.errors import AnswerUnreadable

_BOM = b"\xef\xbb\xbf"
# The end of a line and a further, empty line.
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")
# Further characters that some readers take for a line's end. Where JSON allows them in strings,
# they can be escaped.
_ESCAPED = (
    (b"\xc2\x85", b"\\u0085"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)
# A byte order mark is dropped at the start of the stream, by some readers at the start of any line.
_ODD = re.compile(rb"[\x0b\x0c\x1c-\x1e\x00]|\xc2\x85|\xe2\x80[\xa8\xa9]|(?:\A|[\r\n])\xef\xbb\xbf")

# The usual lines before the data, which begins as an object does.
_PLAIN = re.compile(rb"(?:(?:event|id|retry)?:[\x20-\x7e]*+\r?\n)*data: ?\{")
# Whole events of that kind, one behind the other, each with its data on one line.
_EVENTS = re.compile(rb"(?:(?:(?:event|id|retry)?:[\x20-\x7e]*+\r?\n)*data: ?\{.*+\n\r?\n)+")
_PLAIN_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_MOST_LINES = 20_000


class Event(Struct, frozen=True):
    """One event: its bytes with the line that ends it, and the fields that a client reads in them."""

    raw: bytes

    @property
    def data(self) -> bytes:
        """The `data` lines joined; empty when there are none.

        Raises `AnswerUnreadable` for too many lines: each costs memory.
        """
        if len(self.raw) > _MOST_LINES and len(_LINE.findall(self.raw)) > _MOST_LINES:
            raise AnswerUnreadable(f"an event of the server has more than {_MOST_LINES} lines")
        return b"\n".join(value for name, value in _fields(self.raw) if name == b"data")

    @property
    def is_plain(self) -> bool:
        """Whether a scan of the event tells that it is text, and that its data begins as an object does."""
        raw = self.raw
        return _PLAIN.match(raw) is not None and raw.isascii() and b"\0" not in raw

    @property
    def is_doubtful(self) -> bool:
        """Whether some reader might split the event's lines elsewhere."""
        return _ODD.search(self.raw) is not None

    def with_data(self, data: bytes) -> bytes:
        """The event in its canonical form, with other data: JSON on one line."""
        for odd, escaped in _ESCAPED:
            data = data.replace(odd, escaped)
        kept = [
            name + b": " + value
            for name, value in _fields(self.raw)
            if name in {b"id", b"event", b"retry"} and not _ODD.search(value)
        ]
        body = b"data: " + b" ".join(_LINE.split(data))
        return b"\r\n".join([*kept, body, b"", b""])

    def without_data(self) -> bytes:
        """The event without its message, which must not be seen: nothing but a comment."""
        return b": removed\r\n\r\n"


class Splitter:
    """Splits bytes into whole events; an event that has not ended yet waits."""

    def __init__(self) -> None:
        """At the start of a stream."""
        self._waiting = bytearray()
        self._searched = 0

    @property
    def waiting(self) -> int:
        """Bytes of the event that has not ended."""
        return len(self._waiting)

    def add(self, chunk: bytes) -> None:
        """Take more bytes of the stream."""
        self._waiting += chunk

    def plain_events(self) -> bytes:
        """The whole events in front that one scan proves to be plain: text, whose data begins as an object does.

        They still wait: see `drop`.
        """
        match = _EVENTS.match(self._waiting)
        events = b"" if match is None else match[0]
        if not events.isascii() or events.translate(None, _PLAIN_TEXT):
            return b""
        # Some readers end a line at a CR alone.
        ends_alone = b"\r" in events and b"\r" in events.replace(b"\r\n", b"\n")
        return b"" if ends_alone else events

    def drop(self, size: int) -> None:
        """Leave out the next `size` bytes: whole events, as `plain_events` has found them."""
        del self._waiting[:size]
        self._searched = 0

    def events(self) -> list[Event]:
        """The whole events that wait."""
        waiting = self._waiting
        events, start = [], 0
        # A line's end and half of the next may have been there already: CR LF CR.
        search = max(0, self._searched - 3)
        while match := _END.search(waiting, search):
            if match.end() == len(waiting) and waiting.endswith(b"\r"):
                break  # a LF that belongs to the CR may follow
            events.append(Event(bytes(waiting[start : match.end()])))
            start = search = match.end()
        if start:
            del waiting[:start]
        self._searched = len(waiting)
        return events

    def end(self) -> list[Event]:
        """The event that never ended. The specification drops it, but some readers do not."""
        left = self.take()
        return [Event(left)] if left else []

    def take(self) -> bytes:
        """The bytes that wait, handed out before their event has ended."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        self._searched = 0
        return taken


def _fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The fields in order. A byte order mark at the start of a line is not part of it: see `_ODD`."""
    fields = []
    for line in _LINE.split(raw):
        name, _, value = line.removeprefix(_BOM).partition(b":")
        if name:
            fields.append((name, value.removeprefix(b" ")))
    return fields
