"""A text file that is the user's: read, and changed in one step with a copy of the old left beside it.

Edge. A link is followed, and stays a link; what it leads to must be a regular file, or nothing is
read or written. Whoever reads the file meanwhile sees the old text or the new, never a half.
"""

from __future__ import annotations

import itertools
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from pdp.errors import ConfigError
from tipstaff.common import atomic_file


class UserFile(Struct, frozen=True):
    """A file as it was found."""

    path: Path
    """Where it really is, links followed."""
    text: str = ""
    status: os.stat_result | None = None
    """`None` when it is not there."""


def find(path: Path) -> UserFile:
    """The file at `path`, empty when there is none; raises `ConfigError`."""
    try:
        if not path.exists() and not path.is_symlink():
            return UserFile(path.parent.resolve() / path.name)
        real = path.resolve(strict=True)
        # Without O_NONBLOCK a pipe would be waited for.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path} is not a regular file; it was left alone")
            return UserFile(real, file.read().decode("utf-8"), status)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def replace(old: UserFile, text: str, *, keeps_copy: bool = True) -> Path | None:
    """Write `text` in place of `old`; returns the copy of the old that is left, if there is one.

    Raises `ConfigError`, and then the old file stands as it was.
    """
    try:
        atomic_file.make_missing(old.path.parent, 0o777)
        with atomic_file.prepared(
            old.path, text.encode(), mode=None, like=old.status, locks_folder=True
        ) as new:
            check_unchanged(old)
            backup = _back_up(old) if old.status and keeps_copy else None
            new.put()
    except OSError as error:
        raise ConfigError(f"cannot write {old.path}: {error.strerror}") from error
    return backup


def check_unchanged(old: UserFile) -> None:
    """Raise `ConfigError` when somebody else has written the file since."""
    now = find(old.path)
    if (now.path, now.text) != (old.path, old.text) or bool(now.status) != bool(old.status):
        raise ConfigError(f"{old.path} has changed meanwhile; nothing was written, try again")


def _back_up(old: UserFile) -> Path:
    """A copy under a name of its own, with the time in it."""
    when = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for suffix in itertools.chain([""], (f"-{number}" for number in itertools.count(2))):
        path = old.path.with_name(f"{old.path.name}.{when}{suffix}.bak")
        try:
            atomic_file.create(path, old.text.encode(), like=old.status)
        except FileExistsError:
            continue
        return path
    raise AssertionError  # the names do not end
