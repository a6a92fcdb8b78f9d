"""The lock on a state folder: one decision service uses it at a time. Edge: flock(2).

Two decision services in one folder would overwrite each other's keys and sockets, and one of them would
keep rules that no edit reaches. So a process that runs a service holds the lock from before its first
write until the last process of the service has ended: the kernel releases the lock with the last
descriptor, however its holder ended. The lock file is never removed; otherwise two processes could lock
two files of one name.

A parent that restarts its service hands the descriptor down, so that no other process takes the lock
in between.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from pdp.errors import ConfigError
from pdp.private_files import make_folder, open_private

_NAME = "lock"
_LONGEST_NOTE = 8192
# A new holder has written itself into the lock's file within this time.
_LOOKS, _LOOK_SECONDS = 20, 0.01


class Holder(Struct, frozen=True):
    """The holder of a lock, as the lock's file names it."""

    pid: int
    command: str
    configuration: str


class StateInUse(ConfigError):
    """Another Tipstaff uses the state folder or the socket."""

    def __init__(self, place: Path, advice: str, holder: Holder | None) -> None:
        """Keep the holder, for callers that share its service; `None` when it is not known."""
        who = f", pid {holder.pid} ({holder.command})," if holder else ""
        super().__init__(f"another Tipstaff{who} uses {place}: {advice}")
        self.holder = holder


class StateLock:
    """A lock that is held."""

    def __init__(self, descriptor: int, holder: Holder) -> None:
        """See `take` and `adopt`."""
        self.descriptor = descriptor
        self.holder = holder

    def release(self) -> None:
        """Release the lock, once; a child that has the descriptor too keeps it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def take(folder: Path, holder: Holder) -> StateLock:
    """Lock the state folder, making it if absent; raises `StateInUse` or `ConfigError`."""
    make_folder(folder)
    return _take(folder / _NAME, folder, "stop it, or set another state_dir", holder)


def take_socket(path: Path, holder: Holder) -> StateLock:
    """Lock the place of a socket that is not in the state folder; raises like `take`."""
    advice = "stop it, or set [pdp] listen to another"
    return _take(path.with_name(f"{path.name}.lock"), path, advice, holder)


def adopt(folder: Path, descriptor: int) -> StateLock:
    """Take over the lock of the folder from a parent that handed it down; raises `ConfigError`."""
    try:
        given, there = os.fstat(descriptor), (folder / _NAME).stat()
        is_the_lock = (given.st_dev, given.st_ino) == (there.st_dev, there.st_ino)
        if is_the_lock:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - the call is the system's
            return StateLock(descriptor, _read(descriptor))
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"descriptor {descriptor} is no lock: {error}") from error
    raise ConfigError(f"descriptor {descriptor} is not the lock of {folder}")


@contextmanager
def held(folder: Path, holder: Holder, descriptor: int | None = None) -> Iterator[StateLock]:
    """Hold the folder's lock, taken or handed down as `descriptor`, while the block runs."""
    lock = take(folder, holder) if descriptor is None else adopt(folder, descriptor)
    try:
        yield lock
    finally:
        lock.release()


def _take(path: Path, place: Path, advice: str, holder: Holder) -> StateLock:
    try:
        descriptor = open_private(path, os.O_RDWR)
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(holder), 0)
    except BlockingIOError as error:
        present = _holder(descriptor)
        os.close(descriptor)
        raise StateInUse(place, advice, present) from error
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(
            f"cannot lock {path}: {error.strerror}. Without a lock two Tipstaffs could disturb each "
            f"other: use a file system that has locks, or {advice.partition(', or ')[2]}"
        ) from error
    return StateLock(descriptor, holder)


def _read(descriptor: int) -> Holder:
    return msgspec.json.decode(os.pread(descriptor, _LONGEST_NOTE, 0), type=Holder)


def _holder(descriptor: int) -> Holder | None:
    """The holder named in the lock's file; waits a moment for one that has only just locked it."""
    for _ in range(_LOOKS):
        try:
            holder: Holder | None = _read(descriptor)
        except msgspec.DecodeError:
            holder = None
        if holder is not None and _is_there(holder.pid):
            return holder
        time.sleep(_LOOK_SECONDS)
    return holder


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
