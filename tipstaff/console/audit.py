"""What people did at the console, in a file of its own that is only ever added to. Edge: a file.

An answer that counts is on record with the decisions; this file has also what was tried and not taken, logins, and
logins that were refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from tipstaff.common.atomic_file import PRIVATE
from tipstaff.console.action import Action

FILE = "console-audit.jsonl"
_SHOWN = 200
_READ_BYTES = 256 * 1024
_LONGEST = 300
_REFUSED_SECONDS = 60.0

log = structlog.get_logger("tipstaff.console")


_decode = msgspec.json.Decoder(Action).decode


class Audit:
    """The file."""

    def __init__(self, state: Path, wall: Callable[[], float]) -> None:
        """It lies in the folder `state`; `wall` tells seconds since the epoch."""
        self._path = state / FILE
        self._wall = wall
        self._refused, self._refused_at = 0, float("-inf")

    def add(
        self, action: str, person: str = "", object_: str = "", *, note: str = "", refused: str = ""
    ) -> None:
        """Write down one action. A file that cannot be written is in the log, and stops nobody."""
        self._write(
            Action(self._moment(), action, _cut(person), _cut(object_), _cut(note), _cut(refused))
        )

    def login_refused(self, why: str) -> None:
        """Write down a refused login; many within a minute become one line, so that nobody can fill the disk."""
        self._refused += 1
        if self._wall() - self._refused_at < _REFUSED_SECONDS:
            return
        self._refused_at = self._wall()
        self._write(Action(self._moment(), "login", refused=_cut(why), times=self._refused))
        self._refused = 0

    def newest(self) -> list[Action]:
        """The last actions, the newest first; raises `OSError`."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _READ_BYTES))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        if size > _READ_BYTES:
            lines = lines[1:]
        return [action for line in lines[: -_SHOWN - 1 : -1] if (action := _action(line))]

    def _moment(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="seconds")

    def _write(self, action: Action) -> None:
        line = msgspec.json.encode(action) + b"\n"
        log.info(action.action, person=action.person, object=action.object, refused=action.refused)
        try:
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, PRIVATE
            )
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.error("not written down", action=action.action, error=error.strerror)


def _action(line: bytes) -> Action | None:
    try:
        return _decode(line)
    except msgspec.DecodeError:
        return None


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
