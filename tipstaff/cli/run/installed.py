"""The digest of a program that was installed: written beside it, and compared before it is run.

A program of 60 MB is read again only when its inode, size or times have changed: no write leaves the
time of the last change as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from tipstaff.common import atomic_file

_PIECE = 1024 * 1024


class BrokenInstallError(Exception):
    """An installed program has changed since it was installed; the message names the file."""


class _Record(Struct, frozen=True):
    """The digest, inode, size and times of a file when it was last read."""

    sha256: str
    stamp: tuple[int, int, int, int, int]


def check(path: Path) -> bool:
    """Whether `path` is what was recorded, `False` when nothing was; raises `BrokenInstallError`."""
    try:
        before = msgspec.json.decode(_beside(path).read_bytes(), type=_Record)
    except FileNotFoundError:
        return False
    except (OSError, msgspec.DecodeError) as error:
        raise BrokenInstallError(f"the digest of {path} cannot be read: {error}") from error
    stamp = _stamp(path)
    if stamp == before.stamp:
        return True
    actual = sha256(path)
    if actual != before.sha256:
        raise BrokenInstallError(
            f"{path} is not what was installed: its SHA-256 is {actual}, and was {before.sha256}"
        )
    _write(path, _Record(actual, stamp))
    return True


def record(path: Path) -> None:
    """Record the digest of `path` as it is now."""
    stamp = _stamp(path)
    _write(path, _Record(sha256(path), stamp))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _write(path: Path, record: _Record) -> None:
    """Keep a record, where that can be: without one it is only slower."""
    with contextlib.suppress(OSError):
        # No secret, and others may run what one user has installed.
        atomic_file.replace(_beside(path), msgspec.json.encode(record), mode=0o644)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.installed.json")


def _stamp(path: Path) -> tuple[int, int, int, int, int]:
    status: os.stat_result = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
