"""Files written in one step: whoever reads sees the old one or the new one, also after a power failure.

Edge: files. A new file is written whole beside the one that it replaces, brought to the disk, and renamed;
the folder is brought to the disk afterwards. So neither a full disk nor a kill nor a power failure leaves a
part of it under its name; after a kill a copy may be left beside it, under a hidden name and with the same
permissions.

Nobody can have us write elsewhere: the new file has a name that cannot be guessed and must not exist,
no link is followed, and the folder is opened once, so that another one in its place is not written to.
A link at the name itself is replaced; whoever wants the file that it leads to resolves it first.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE = 0o600
"""The mode of a file that its owner alone can read and write."""
PRIVATE_FOLDER = 0o700
"""The mode of a folder that its owner alone can enter."""

# Of the name of the file, in that of the new one: so that neither is too long.
_NAME_PART = 50
# What file systems answer that cannot bring the names in a folder to the disk.
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class NewFile:
    """A file that is whole and on the disk, and not yet under its name."""

    def __init__(self, folder: int, name: str, final: str) -> None:
        """See `prepared`. `folder` is an open descriptor; both names are in that folder."""
        self._folder = folder
        self._name = name
        self._final = final
        self._is_in_place = False

    def put(self) -> None:
        """Give it its name, in place of what has it now; raises `OSError`."""
        os.rename(self._name, self._final, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._is_in_place = True
        _sync_folder(self._folder)

    def discard(self) -> None:
        """Remove it, unless it is in place."""
        if not self._is_in_place:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)


def replace(path: Path, data: bytes, *, mode: int | None = PRIVATE) -> None:
    """Write a file in one step; raises `OSError`, and then what was there stands as it was.

    But for a disk that fails at the last: then the new file stands, and may not survive a power failure.
    `mode` holds whatever the umask is; with `None` the umask decides. The folders that are missing
    above a private file are made for us alone.
    """
    make_missing(path.parent, PRIVATE_FOLDER if mode == PRIVATE else 0o777)
    with prepared(path, data, mode=mode) as new:
        new.put()


def create(
    path: Path, data: bytes, *, mode: int | None = PRIVATE, like: os.stat_result | None = None
) -> None:
    """Write a file that is not there yet; raises `FileExistsError` or another `OSError`.

    The name is taken by an empty file first, so that of two who want it one gets it; a kill may leave that.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, PRIVATE))
    try:
        with prepared(path, data, mode=mode, like=like) as new:
            new.put()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def prepared(
    path: Path,
    data: bytes,
    *,
    mode: int | None = PRIVATE,
    like: os.stat_result | None = None,
    locks_folder: bool = False,
) -> Iterator[NewFile]:
    """A new file beside `path`, for whoever has to look once more before `put`; raises `OSError`.

    Without `put` nothing is left of it. `like` is the status of a file whose mode and, where that is
    ours to give, whose owner it gets. With `locks_folder` all who ask for that wait for each other
    until the block ends; the folder itself is locked, so that no file is left in it. Where that cannot
    be, as on some network file systems, the block goes on without.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name = f".{path.name[:_NAME_PART]}.{secrets.token_hex(8)}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        is_by_umask = mode is None and like is None
        descriptor = os.open(name, flags, 0o666 if is_by_umask else PRIVATE, dir_fd=folder)
        new = NewFile(folder, name, path.name)
        try:
            _write_whole(descriptor, data, mode, like)
            if locks_folder:
                with contextlib.suppress(OSError):
                    fcntl.flock(folder, fcntl.LOCK_EX)
            yield new
        finally:
            new.discard()
    finally:
        os.close(folder)


def take_place(made: Path, path: Path) -> None:
    """Bring a file that is made already to the disk, and to `path` in one step; raises `OSError`.

    Both are on one file system. Its mode stays.
    """
    descriptor = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.rename(made, path.name, dst_dir_fd=folder)
        _sync_folder(folder)
    finally:
        os.close(folder)


def make_missing(folder: Path, mode: int) -> None:
    """Make a folder, and all that is missing above it, with `mode` less the umask; raises `OSError`."""
    for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
        missing.mkdir(mode=mode, exist_ok=True)


def _write_whole(
    descriptor: int, data: bytes, mode: int | None, like: os.stat_result | None
) -> None:
    """Write a new file to the disk, and close it; it has its mode before it holds anything."""
    with open(descriptor, "wb") as file:
        if like is not None:
            _make_alike(descriptor, like)
        elif mode is not None:
            os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _make_alike(descriptor: int, like: os.stat_result) -> None:
    """Give a file the owner, the group and the mode of another.

    A group that we cannot give it is another one than was meant: it may do what everybody may.
    """
    mode = stat.S_IMODE(like.st_mode) & 0o777
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, -1, like.st_gid)
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, like.st_uid, -1)
    if os.fstat(descriptor).st_gid != like.st_gid:
        everybody = (mode & stat.S_IRWXO) << 3
        mode = (mode & ~stat.S_IRWXG) | (mode & everybody)
    os.fchmod(descriptor, mode)


def _sync_folder(folder: int) -> None:
    """Bring the names in a folder to the disk, so that what was renamed stays so."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
