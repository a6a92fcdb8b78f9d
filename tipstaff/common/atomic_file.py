"""Files written in one step: whoever reads sees the old one or the new one, also after a power failure.

Edge: files. The new file is made beside the old one, under a name that nobody knows before, and only if nothing
stands there, so no link that somebody has planted is followed; it is on the disk before it takes the old one's place,
and the folder is on the disk afterwards.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

PRIVATE = 0o600


def replace(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Write `data` in place of the file; raises `OSError`, and then the old file stands as it was."""
    new = beside(path)
    try:
        create(new, data, mode=mode)
        take_place(new, path)
    finally:
        new.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A name for a new file in the same folder, that nobody can guess."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")


def create(
    path: Path, data: bytes, *, mode: int = PRIVATE, like: os.stat_result | None = None
) -> None:
    """A new file, on the disk; raises `FileExistsError`, or another `OSError` and leaves nothing.

    `mode` is narrowed by the umask. A file that is `like` an old one gets its mode and, where that is ours to give,
    its owner.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, PRIVATE if like is not None else mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            if like is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def take_place(new: Path, path: Path) -> None:
    """Put a file that is on the disk in place of another in the same folder; raises `OSError`."""
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk: what was replaced stays so; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
