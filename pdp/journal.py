"""The journal: whole lines appended to one file, or an error.

A line that could only be written in part is cut off again, so that every line in the file is whole.
When the file was moved away (log rotation), a new one is begun.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pdp.errors import JournalError

_LOOK_EVERY_SECONDS = 1.0


class FileJournal:
    """Appends records to `path`, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        """Open or create `path`; raises `JournalError`."""
        self._path = path
        self._descriptor = -1
        self._looked = 0.0
        self._open()

    def write(self, lines: Sequence[bytes]) -> None:
        """Append `lines`, all or none; raises `JournalError`."""
        data = b"".join(lines)
        try:
            self._follow_rotation()
            written = os.write(self._descriptor, data)
            if written < len(data):
                self._cut(written)
                raise JournalError(f"{self._path}: only {written} of {len(data)} bytes fit")
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise JournalError(f"cannot write records to {self._path}: {error.strerror}") from error
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor

    def _follow_rotation(self) -> None:
        """Begin a new file when the path no longer leads to the open one."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_SECONDS:
            return
        self._looked = now
        mine = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            self._open()
            return
        if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            self._open()

    def _cut(self, written: int) -> None:
        size = os.fstat(self._descriptor).st_size
        os.ftruncate(self._descriptor, size - written)
