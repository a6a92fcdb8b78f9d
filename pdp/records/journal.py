"""The journal: whole lines appended to one file, or an error.

A line that could only be written in part is cut off again. Where that fails too, or a process was
killed while it wrote, the file ends in half a line: the next record then begins on a line of its own,
so that no record is ever lost in the rest of another. When the file was moved away (log rotation), a
new one is begun.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from pdp.errors import JournalError
from tipstaff.common.atomic_file import PRIVATE, PRIVATE_FOLDER, make_missing

_LOOK_EVERY_SECONDS = 1.0

log = structlog.get_logger("pdp.journal")


class FileJournal:
    """Appends records to `path`, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        """Open or create `path`; raises `JournalError`."""
        self._path = path
        self._descriptor = -1
        self._may_be_torn = True
        self._looked = 0.0
        self._is_failing = False
        self._open()

    def write(self, lines: Sequence[bytes]) -> None:
        """Append `lines`, all or none; raises `JournalError`."""
        try:
            self._write(lines)
        except JournalError as error:
            if not self._is_failing:
                log.error("records cannot be written; every call is denied", error=str(error))
            self._is_failing = True
            raise
        if self._is_failing and lines:
            log.info("records can be written again", path=str(self._path))
            self._is_failing = False

    def _write(self, lines: Sequence[bytes]) -> None:
        data = b"".join(lines)
        if not data:
            return
        try:
            self._follow_rotation()
            if self._may_be_torn and self._is_torn():
                data = b"\n" + data
            self._may_be_torn = True
            written = os.write(self._descriptor, data)
            if written < len(data):
                self._cut(written)
                raise JournalError(f"{self._path}: only {written} of {len(data)} bytes fit")
            self._may_be_torn = False
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self) -> None:
        try:
            make_missing(self._path.parent, PRIVATE_FOLDER)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, PRIVATE)
        except OSError as error:
            raise JournalError(f"cannot write records to {self._path}: {error.strerror}") from error
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor
        self._may_be_torn = True

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

    def _is_torn(self) -> bool:
        """Whether the file may end in half a line; a path that is no file, such as a pipe, never does."""
        mine = os.fstat(self._descriptor)
        if not stat.S_ISREG(mine.st_mode) or mine.st_size == 0:
            return False
        try:
            with self._path.open("rb") as file:
                return os.pread(file.fileno(), 1, mine.st_size - 1) != b"\n"
        except OSError:
            return True  # an empty line does no harm

    def _cut(self, written: int) -> None:
        size = os.fstat(self._descriptor).st_size
        os.ftruncate(self._descriptor, size - written)
