"""A user's file is changed whole, beside a copy, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.clients.user_file import find, replace


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_is_not_there_is_made_with_its_folders(tmp_path: Path) -> None:
    """Nothing is to be kept, so there is no copy."""
    path = tmp_path / "a" / "b" / "mcp.json"
    old = find(path)
    assert (old.text, old.status) == ("", None)
    assert replace(old, "new") is None
    assert path.read_text() == "new"
    assert names(path.parent) == {"mcp.json"}
    assert not mode(path) & 0o111


def test_the_old_text_is_left_beside_the_new(tmp_path: Path) -> None:
    """Byte for byte, each time under another name, with the same mode."""
    path = tmp_path / "mcp.json"
    path.write_bytes("one é\r\n".encode())
    path.chmod(0o640)
    first = replace(find(path), "two")
    second = replace(find(path), "three")
    assert first is not None
    assert second is not None
    assert first.read_bytes() == "one é\r\n".encode()
    assert second.read_text() == "two"
    assert path.read_text() == "three"
    assert names(tmp_path) == {"mcp.json", first.name, second.name}
    assert {mode(one) for one in (path, first, second)} == {0o640}


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is changed, and the copy is beside that."""
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "mcp.json", tmp_path / "mcp.json"
    real.write_text("old")
    link.symlink_to(real)
    backup = replace(find(link), "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert backup is not None
    assert backup.parent == real.parent


def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    """Neither opened for good, nor waited for, nor written to, nor through a link."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = names(tmp_path)
    for name in ("folder", "pipe", "link", "device", "nowhere", "loop"):
        with pytest.raises(ConfigError):
            find(tmp_path / name)
    assert names(tmp_path) == before


def test_what_is_no_text_is_left_alone(tmp_path: Path) -> None:
    """It could not be written back."""
    path = tmp_path / "mcp.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot read"):
        find(path)


def test_what_somebody_else_has_written_since_is_not_overwritten(tmp_path: Path) -> None:
    """Nor a file that has come since; and no half is left behind."""
    path, other = tmp_path / "mcp.json", tmp_path / "other.json"
    path.write_text("old")
    old, none = find(path), find(other)
    path.write_text("theirs")
    other.write_text("")
    for found in (old, none):
        with pytest.raises(ConfigError, match="changed meanwhile"):
            replace(found, "new")
    assert path.read_text() == "theirs"
    assert other.read_text() == ""
    assert names(tmp_path) == {"mcp.json", "other.json"}


def test_a_full_disk_leaves_the_old_file_and_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is full at the new file or at the copy."""
    path = tmp_path / "mcp.json"
    path.write_text("old")
    sync, calls = os.fsync, []

    def full_at(number: int) -> None:
        calls.clear()

        def fsync(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) == number:
                raise OSError(28, "No space left on device")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    for number in (1, 2):
        full_at(number)
        with pytest.raises(ConfigError, match="No space left"):
            replace(find(path), "new")
        assert path.read_text() == "old"
        assert names(tmp_path) == {"mcp.json"}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Which says where."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write .*/file/mcp\.json"):
        replace(find(tmp_path / "file" / "mcp.json"), "new")


def test_a_name_that_is_taken_is_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even through a link that somebody put there."""

    class Frozen:
        @staticmethod
        def now(zone: object) -> Frozen:
            return Frozen()

        def strftime(self, form: str) -> str:
            return "now"

    monkeypatch.setattr("tipstaff.cli.clients.user_file.datetime", Frozen)
    path, victim = tmp_path / "mcp.json", tmp_path / "victim"
    path.write_text("old")
    (tmp_path / "mcp.json.now.bak").symlink_to(victim)
    assert replace(find(path), "new") == tmp_path / "mcp.json.now-2.bak"
    assert not victim.exists()


def test_of_two_who_have_read_the_same_text_one_is_told_to_try_again(tmp_path: Path) -> None:
    """Between its look and its step nobody else of us writes: the folder is locked."""
    path = tmp_path / "mcp.json"
    path.write_text("old")
    first, second = find(path), find(path)
    ends: list[str] = []

    def change() -> None:
        try:
            replace(second, "second")
        except ConfigError as error:
            ends.append(str(error))

    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    waiting = threading.Thread(target=change)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    path.write_text("first")
    os.close(folder)
    waiting.join(10)
    assert path.read_text() == "first"
    assert "has changed meanwhile" in ends[0]
    with pytest.raises(ConfigError, match="has changed meanwhile"):
        replace(first, "third")


def test_a_folder_that_cannot_be_locked_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network file systems are; the look has to do."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    replace(find(tmp_path / "mcp.json"), "new")
    assert (tmp_path / "mcp.json").read_text() == "new"
