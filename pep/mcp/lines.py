"""Splits bytes into the lines of MCP over stdio: a message a line, ended by LF alone. Pure."""

from __future__ import annotations

MAX_LINE = 16 * 1024 * 1024


class LineSplitter:
    """Splits bytes into whole lines without their LF; a line that is too long becomes `None`."""

    def __init__(self, longest: int = MAX_LINE) -> None:
        """At the start of a stream. `longest` is in bytes."""
        self._longest = longest
        self._waiting = bytearray()
        self._is_skipping = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that `chunk` completes; `None` for one that was too long."""
        *whole, rest = chunk.split(b"\n")
        lines = [self._ended(part) for part in whole]
        self._add(rest)
        return lines

    def end(self) -> list[bytes | None]:
        """The bytes without a LF when the stream ends: a line all the same, since some readers take it."""
        return [self._ended(b"")] if self._waiting or self._is_skipping else []

    def _ended(self, part: bytes) -> bytes | None:
        self._add(part)
        line = None if self._is_skipping else bytes(self._waiting)
        self._waiting.clear()
        self._is_skipping = False
        return line

    def _add(self, part: bytes) -> None:
        if len(self._waiting) + len(part) > self._longest:
            self._is_skipping = True
            self._waiting.clear()
        elif not self._is_skipping:
            self._waiting += part


def is_one(line: bytes) -> bool:
    """Whether every reader takes the bytes for one line: some end lines at a CR, too."""
    return b"\r" not in line.removesuffix(b"\r")
