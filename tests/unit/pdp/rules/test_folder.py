"""The folder of the rules: whatever lies in it is read, or an error; never as good as absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pdp.errors import PolicyTextError
from pdp.rules import folder
from pdp.rules.folder import entries, fingerprint, read_file


def test_the_fingerprint_changes_whenever_a_file_does(tmp_path: Path) -> None:
    """Its text, its rights, its name, or what a link leads to; and comes back with none of them."""
    target, link = tmp_path / "target", tmp_path / "rules" / "link"
    rules = link.parent
    rules.mkdir()
    target.write_text("one")
    link.symlink_to(target)
    seen = [fingerprint(rules)]
    assert fingerprint(rules) == seen[0]
    target.write_text("two!")
    seen.append(fingerprint(rules))
    target.chmod(0o600)
    seen.append(fingerprint(rules))
    (rules / "new").touch()
    seen.append(fingerprint(rules))
    os.utime(target, ns=(0, 0))
    seen.append(fingerprint(rules))
    (tmp_path / "other").write_text("two!")
    os.utime(tmp_path / "other", ns=(0, 0))
    (tmp_path / "other").replace(target)
    seen.append(fingerprint(rules))
    assert len(set(seen)) == len(seen)


def test_a_fingerprint_can_be_taken_of_whatever_is_there(tmp_path: Path) -> None:
    """Loops, links that lead nowhere, pipes, and no folder at all: each of them shows."""
    seen = [fingerprint(tmp_path / "nothing"), fingerprint(tmp_path)]
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "nowhere").symlink_to(tmp_path / "not there")
    seen.append(fingerprint(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == len(seen)


def test_a_folder_is_walked_in_order_and_links_to_folders_are_not(tmp_path: Path) -> None:
    """So that no loop of links is ever walked."""
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "file").touch()
    (tmp_path / "a").symlink_to(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in entries(tmp_path)]
    assert names == ["a", "b", "b/deep", "b/deep/file"]


def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules in it have not gone: a deny may be among them."""
    (tmp_path / "servers").mkdir()
    real = os.scandir

    def listed(path: Path) -> object:
        if Path(path).name == "servers":
            raise PermissionError(13, "Permission denied")
        return real(path)

    before = fingerprint(tmp_path)
    monkeypatch.setattr(os, "scandir", listed)
    with pytest.raises(PolicyTextError, match="servers: cannot be read: Permission denied"):
        entries(tmp_path)
    assert fingerprint(tmp_path) != before


def test_more_files_than_anybody_can_have_written_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk stops there."""
    monkeypatch.setattr(folder, "MAX_ENTRIES", 3)
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(PolicyTextError, match="more than 3 files"):
        entries(tmp_path)
    assert isinstance(fingerprint(tmp_path), str)


def test_only_files_can_be_read(tmp_path: Path) -> None:
    """A pipe is not waited for, and a file without end is not read to its end."""
    (tmp_path / "file").write_bytes(b"rules")
    assert read_file(tmp_path / "file") == b"rules"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "zero"):
        with pytest.raises(PolicyTextError, match="is no file"):
            read_file(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("loop", "gone"):
        with pytest.raises(PolicyTextError, match="cannot be read"):
            read_file(tmp_path / name)


def test_a_file_larger_than_rules_ever_are_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even read to its end."""
    monkeypatch.setattr(folder, "MAX_FILE_BYTES", 4)
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(PolicyTextError, match="larger than"):
        read_file(tmp_path / "file")
