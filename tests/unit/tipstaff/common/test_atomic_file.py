"""A file is written whole, or what was there stands: whatever happens, and whoever is in the folder."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tipstaff.common import atomic_file
from tipstaff.common.atomic_file import create, make_missing, prepared, replace, take_place

ROOT = Path(__file__).parents[4]
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from tipstaff.common import atomic_file

call, number = sys.argv[2], int(sys.argv[3])
real, calls = getattr(os, call), []

def killed(*arguments, **options):
    calls.append(arguments)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)

setattr(os, call, killed)
atomic_file.replace(Path(sys.argv[1]), b"new" * 100_000)
"""
WRITES_ON = """
import itertools, sys
from pathlib import Path
from tipstaff.common import atomic_file

for number in itertools.count():
    atomic_file.replace(Path(sys.argv[1]), bytes([97 + number % 26]) * 300_000)
    print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    mask = os.umask(0)
    yield
    os.umask(mask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_ours_alone_unless_another_mode_is_named(tmp_path: Path) -> None:
    """So are the folders that were missing above it; a mode holds whatever the umask is."""
    replace(tmp_path / "a" / "b" / "token", b"x")
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/token")] == [0o700, 0o700, 0o600]
    os.umask(0o077)
    replace(tmp_path / "program", b"x", mode=0o755)
    replace(tmp_path / "text", b"x", mode=None)
    assert [mode(tmp_path / name) for name in ("program", "text")] == [0o755, 0o600]
    os.umask(0o022)
    replace(tmp_path / "text", b"x", mode=None)
    assert mode(tmp_path / "text") == 0o644


def test_a_file_has_its_mode_before_it_holds_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no instant at which another user of the machine could open it."""
    real, seen = os.fchmod, []

    def fchmod(descriptor: int, wanted: int) -> None:
        status = os.fstat(descriptor)
        seen.append((stat.S_IMODE(status.st_mode) & 0o077, status.st_size))
        real(descriptor, wanted)

    monkeypatch.setattr(os, "fchmod", fchmod)
    replace(tmp_path / "a", b"secret")
    replace(tmp_path / "b", b"public", mode=0o644)
    assert seen == [(0, 0), (0, 0)]


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power failure could leave an empty file, or the old one after we have said otherwise."""
    rename, sync, calls = os.rename, os.fsync, []

    def noted_rename(*arguments: object, **options: object) -> None:
        calls.append("rename")
        rename(*arguments, **options)  # type: ignore[arg-type]

    def noted_sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        calls.append("sync folder" if is_folder else f"sync {os.fstat(descriptor).st_size} bytes")
        sync(descriptor)

    monkeypatch.setattr(os, "rename", noted_rename)
    monkeypatch.setattr(os, "fsync", noted_sync)
    replace(tmp_path / "a", b"four")
    assert calls == ["sync 4 bytes", "rename", "sync folder"]
    calls.clear()
    (tmp_path / "made").write_bytes(b"made")
    take_place(tmp_path / "made", tmp_path / "a")
    assert calls == ["sync 4 bytes", "rename", "sync folder"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_disk_that_fails_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A folder that its file system cannot bring to the disk is no failure; another fault there is."""
    path, real, calls = tmp_path / "a", os.fsync, []
    replace(path, b"old")

    def broken(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == number:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        replace(path, b"new")
    assert path.read_bytes() == (b"old" if number == 1 else b"new")
    assert names(tmp_path) == ["a"]


def test_a_file_system_that_cannot_sync_folders_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network file systems are."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    replace(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("how", [replace, create])
def test_a_full_disk_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, how: object
) -> None:
    """The kernel takes a part of the data, and no more."""
    path = tmp_path / ("a" if how is replace else "b")
    replace(tmp_path / "a", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            how(path, b"new" * 100_000)  # type: ignore[operator]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("call", "number", "survivor"),
    [
        ("fchmod", 1, b"old"),
        ("fsync", 1, b"old"),
        ("rename", 1, b"old"),
        ("fsync", 2, b"new" * 100_000),
    ],
)
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new(
    tmp_path: Path, call: str, number: int, survivor: bytes
) -> None:
    """What may be left beside it is hidden, and nobody else can read it."""
    path = tmp_path / "a"
    replace(path, b"old")
    command = [sys.executable, "-c", KILLED_AT, str(path), call, str(number)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == survivor
    left = [name for name in names(tmp_path) if name != "a"]
    assert len(left) == (survivor == b"old")
    assert all(name.startswith(".a.") and mode(tmp_path / name) == 0o600 for name in left)


def test_a_writer_that_is_killed_leaves_a_whole_file_and_readers_see_nothing_else(
    tmp_path: Path,
) -> None:
    """Whenever the kill comes."""
    path = tmp_path / "a"
    for _ in range(3):
        command = [sys.executable, "-c", WRITES_ON, str(path)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"0\n"
        looks = [path.read_bytes() for _ in range(200)]
        writer.kill()
        writer.communicate(timeout=20)
        looks.append(path.read_bytes())
        assert {(len(look), len(set(look))) for look in looks} == {(300_000, 1)}


def test_a_link_that_somebody_has_put_at_the_name_is_replaced(tmp_path: Path) -> None:
    """What it leads to is not touched."""
    victim, path = tmp_path / "victim", tmp_path / "a"
    victim.write_bytes(b"theirs")
    path.symlink_to(victim)
    replace(path, b"ours")
    assert not path.is_symlink()
    assert (path.read_bytes(), victim.read_bytes()) == (b"ours", b"theirs")


def test_a_name_of_the_new_file_that_is_taken_already_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even by somebody who could guess it: what stands there stays, a link and what it leads to."""
    monkeypatch.setattr(atomic_file.secrets, "token_hex", lambda _: "known")
    victim, planted = tmp_path / "victim", tmp_path / ".a.known.new"
    victim.write_bytes(b"theirs")
    planted.symlink_to(victim)
    with pytest.raises(FileExistsError):
        replace(tmp_path / "a", b"ours")
    assert victim.read_bytes() == b"theirs"
    assert planted.is_symlink()
    assert not (tmp_path / "a").exists()


def test_a_folder_that_is_swapped_meanwhile_is_not_written_to(tmp_path: Path) -> None:
    """The folder that was opened is the one, also under another name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "theirs").mkdir()
    with prepared(tmp_path / "folder" / "a", b"ours") as new:
        (tmp_path / "folder").rename(tmp_path / "moved")
        (tmp_path / "folder").symlink_to(tmp_path / "theirs")
        new.put()
    assert names(tmp_path / "theirs") == []
    assert (tmp_path / "moved" / "a").read_bytes() == b"ours"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_in_a_folder_that_all_may_write_a_file_of_another_user_is_not_written_to(
    tmp_path: Path,
) -> None:
    """The one in place is ours, with our mode: whoever made the old one can open the old one only."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o1777)
    path = folder / "a"
    path.write_bytes(b"theirs")
    path.chmod(0o666)
    os.chown(path, 1234, 1234)
    with path.open("rb") as theirs:
        replace(path, b"ours")
        assert theirs.read() == b"theirs"
    assert (path.stat().st_uid, mode(path)) == (0, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_that_is_like_another_has_its_owner_and_mode(tmp_path: Path) -> None:
    """But neither sets the user nor the group of what runs it."""
    old = tmp_path / "old"
    old.write_bytes(b"")
    os.chown(old, 1234, 4321)
    old.chmod(0o6750)
    with prepared(old, b"new", like=old.stat()) as new:
        new.put()
    status = old.stat()
    assert (status.st_uid, status.st_gid, mode(old)) == (1234, 4321, 0o750)


def test_a_group_that_cannot_be_given_to_a_file_is_no_other_one_s_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file would belong to a group of ours that was never meant to read it."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    for old, expected in ((0o660, 0o600), (0o664, 0o644), (0o640, 0o600), (0o644, 0o644)):
        path = tmp_path / f"{old:o}"
        path.write_bytes(b"")
        path.chmod(old)
        status = list(path.stat())
        status[5] += 1  # the group
        like = os.stat_result(status)
        with prepared(path, b"new", like=like) as new:
            new.put()
        assert mode(path) == expected


def test_a_file_that_is_there_already_is_not_created(tmp_path: Path) -> None:
    """Neither over a file nor through a link, whether that leads anywhere or not."""
    victim = tmp_path / "victim"
    (tmp_path / "file").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(victim)
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            create(tmp_path / name, b"ours")
    assert (tmp_path / "file").read_bytes() == b"theirs"
    assert not victim.exists()
    create(tmp_path / "new", b"ours", mode=0o640)
    assert ((tmp_path / "new").read_bytes(), mode(tmp_path / "new")) == (b"ours", 0o640)
    assert names(tmp_path) == ["file", "link", "new"]


def test_what_is_not_put_leaves_nothing(tmp_path: Path) -> None:
    """Also where the block fails."""
    with prepared(tmp_path / "a", b"new"):
        assert len(names(tmp_path)) == 1
    with pytest.raises(KeyboardInterrupt), prepared(tmp_path / "a", b"new"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_who_locks_the_folder_has_others_wait_until_it_has_put_its_file(tmp_path: Path) -> None:
    """The lock leaves no file behind."""
    order = []

    def second() -> None:
        with prepared(tmp_path / "a", b"second", locks_folder=True) as new:
            order.append((tmp_path / "a").read_bytes())
            new.put()

    waiting = threading.Thread(target=second)
    with prepared(tmp_path / "a", b"first", locks_folder=True) as new:
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        new.put()
    waiting.join(20)
    assert order == [b"first"]
    assert names(tmp_path) == ["a"]


def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path: Path) -> None:
    """The new file's own name is no longer than that."""
    for letter in ("a", "é", "日"):
        name = letter * (255 // len(letter.encode()))
        replace(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_a_file_that_was_made_elsewhere_is_put_as_it_is_and_a_link_is_not(tmp_path: Path) -> None:
    """Its mode stays."""
    (tmp_path / "made").write_bytes(b"program")
    (tmp_path / "made").chmod(0o755)
    take_place(tmp_path / "made", tmp_path / "opa")
    assert (names(tmp_path), mode(tmp_path / "opa")) == (["opa"], 0o755)
    (tmp_path / "link").symlink_to(tmp_path / "opa")
    with pytest.raises(OSError, match="symbolic links"):
        take_place(tmp_path / "link", tmp_path / "other")


def test_folders_that_are_missing_are_made_with_one_mode_and_others_stay(tmp_path: Path) -> None:
    """A link that leads nowhere is no folder, and none is made behind it."""
    (tmp_path / "a").mkdir(mode=0o755)
    make_missing(tmp_path / "a" / "b" / "c", 0o700)
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o755, 0o700, 0o700]
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(FileExistsError):
        make_missing(tmp_path / "nowhere" / "x", 0o700)
    assert not (tmp_path / "gone").exists()


def test_the_name_of_the_new_file_cannot_be_known_before(tmp_path: Path) -> None:
    """It stands in the same folder, so that it can take the place in one step."""
    seen = set()
    for _ in range(100):
        with prepared(tmp_path / "a", b"x"):
            seen.update(names(tmp_path))
    assert len(seen) == 100


def test_a_file_like_another_has_its_mode(tmp_path: Path) -> None:
    """Also one that is wider than the umask."""
    os.umask(0o077)
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o664)
    create(tmp_path / "new", b"x", like=(tmp_path / "old").stat())
    assert mode(tmp_path / "new") == 0o664


def test_a_step_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """As where the place is a folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "made").write_bytes(b"x")
    with pytest.raises(OSError, match="directory"):
        take_place(tmp_path / "made", tmp_path / "a")
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a", "made"]
