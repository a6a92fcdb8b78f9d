"""Lists and reads the folder of the rules so that no file in it can block or deceive the reader. Edge.

A file that cannot be read is an error and never counts as absent: it may hold a rule that denies. Links
to files are followed, links to folders are not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable
from pathlib import Path

from pdp.errors import PolicyTextError

MAX_ENTRIES = 10_000
MAX_FILE_BYTES = 16 * 1024 * 1024


def entries(folder: Path) -> list[Path]:
    """Every file and folder below `folder`, in order; raises `PolicyTextError`."""
    paths: list[Path] = []
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as listing:
                for entry in listing:
                    paths.append(Path(entry.path))
                    if len(paths) > MAX_ENTRIES:
                        raise PolicyTextError(f"{folder}: holds more than {MAX_ENTRIES} files")
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(paths[-1])
        except OSError as error:
            raise _unreadable(place, error) from error
    return sorted(paths)


def fingerprint(folder: Path) -> Hashable:
    """A value that differs when a file of `folder` has changed or its readability has. Never raises."""
    try:
        return tuple(map(_mark, entries(folder)))
    except PolicyTextError as error:
        return str(error)


def read_file(path: Path) -> bytes:
    """The content of the file; raises `PolicyTextError`. Does not block on a pipe without a writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PolicyTextError(f"{path}: is no file, though it has the name of one")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > MAX_FILE_BYTES:
        raise PolicyTextError(f"{path}: is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    return data


def _mark(path: Path) -> Hashable:
    """The mark of one file: new permissions show in the change time, another file of the same age in the inode."""
    try:
        status = path.stat()
    except OSError as error:
        return str(path), error.errno
    times = status.st_mtime_ns, status.st_ctime_ns
    return str(path), *times, status.st_size, status.st_ino, status.st_mode


def _unreadable(path: Path, error: OSError) -> PolicyTextError:
    return PolicyTextError(f"{path}: cannot be read: {error.strerror}")
