"""Makes folders and files that only their owner can open, from the moment they exist. Edge: files.

The mode is given when a file is made, so that there is no instant at which another user of the machine
could open it; no umask widens it, and no symbolic link is followed. Files that are replaced as a whole
are written by `tipstaff.common.atomic_file`.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pdp.errors import ConfigError
from tipstaff.common.atomic_file import PRIVATE, PRIVATE_FOLDER, make_missing

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can enter, or check an existing one; raises `ConfigError`.

    A folder that others can enter is left as it is: files that they could write there are not to be
    trusted, and the folder may be shared on purpose.
    """
    try:
        make_missing(path, PRIVATE_FOLDER)
        link, folder = path.lstat(), path.stat()
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}") from error
    if not stat.S_ISDIR(folder.st_mode):
        raise ConfigError(f"{path} is no folder")
    if folder.st_uid != os.geteuid() or link.st_uid not in {0, os.geteuid()}:
        raise ConfigError(f"{path} belongs to another user: name a folder of your own")
    if folder.st_mode & _OTHERS:
        raise ConfigError(
            f"others can enter {path} (mode {stat.S_IMODE(folder.st_mode):03o}), and what is kept there "
            f"is for nobody else: `chmod 700 {path}` if it is Tipstaff's alone, else name another"
        )


def open_private(path: Path, flags: int) -> int:
    """Open a file that only its owner can read, making it if absent; raises `OSError`."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    try:
        os.fchmod(descriptor, PRIVATE)  # a file of an older version may have another mode
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Lock `path` while the block reads, changes and replaces it. Raises `ConfigError`.

    The lock is a file beside `path`, which itself is replaced. The lock file is never removed.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        make_missing(path.parent, PRIVATE_FOLDER)
        descriptor = open_private(lock, os.O_RDWR)
    except OSError as error:
        raise ConfigError(f"cannot use {lock}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(f"cannot lock {lock}: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(descriptor)
