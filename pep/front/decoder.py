"""A compressed body back to its plain bytes, piece by piece. Pure.

Only codings that every client undoes alike: gzip by its header, deflate by that of zlib (RFC 9110
section 8.4.1), since a body that is both to two readers would show one of them what was not judged.
Each piece is bounded, so that other exchanges can work in between; and so is the decoded size of a
small body.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from pep.errors import AnswerUnreadable

PIECE = 256 * 1024
# Text rarely shrinks to a fiftieth; a body of nothing but blanks does to a thousandth.
MAX_RATIO = 128
FREE_BYTES = 8 * 1024 * 1024
_MAX_MEMBERS = 4096
_WINDOW = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # zlib manual, inflateInit2


class Decoder:
    """Decodes the bytes of one answer. Every method raises `AnswerUnreadable`."""

    def __init__(self, coding: bytes) -> None:
        """`coding` is gzip, x-gzip, deflate; or empty or identity, which change nothing."""
        self._window = _WINDOW.get(coding, 0)
        self._zlib = zlib.decompressobj(self._window) if self._window else None
        self._members = 1
        self._packed = 0
        self._plain = 0
        self._tail = b""

    @property
    def changes(self) -> bool:
        """Whether there is anything to decode."""
        return self._zlib is not None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The decoded pieces of `chunk`, some of them empty."""
        if self._zlib is None:
            yield chunk
            return
        self._packed += len(chunk)
        self._tail += chunk
        yield from self.rest()

    def rest(self) -> Iterator[bytes]:
        """The bytes that were fed and not yet taken."""
        while self._zlib is not None and self._tail:
            if self._zlib.eof:
                self._begin_member()
            try:
                piece = self._zlib.decompress(self._tail, PIECE)
            except zlib.error as error:
                raise AnswerUnreadable("the server's answer does not decompress") from error
            self._tail = self._zlib.unconsumed_tail or self._zlib.unused_data
            self._plain += len(piece)
            if self._plain > FREE_BYTES + MAX_RATIO * self._packed:
                raise AnswerUnreadable("the server's answer unpacks to far more than its size")
            if not piece and not self._zlib.eof:
                return
            yield piece

    def finish(self) -> None:
        """End the body; one that is cut short is refused, since some clients read it and some do not."""
        if self._zlib is not None and self._packed and not self._zlib.eof:
            raise AnswerUnreadable("the server's answer ends before its compression does")

    def _begin_member(self) -> None:
        """Gzip may go on with another member (RFC 1952 section 2.2), deflate may not."""
        self._members += 1
        if self._window != _WINDOW[b"gzip"] or self._members > _MAX_MEMBERS:
            raise AnswerUnreadable("the server's answer is compressed in too many parts")
        self._zlib = zlib.decompressobj(self._window)
