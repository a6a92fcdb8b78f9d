"""A file is the old one or the new one, whoever looks and whatever happens meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tipstaff.common.atomic_file import beside, create, replace, take_place

# Writes the same two contents in turn until it is killed.
WRITER = """
import sys
from pathlib import Path
from tipstaff.common.atomic_file import replace
path = Path(sys.argv[1])
print(flush=True)
while True:
    for letter in (b"a", b"b"):
        replace(path, letter * 200_000)
"""


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """It is its owner's alone, whatever the umask."""
    path = tmp_path / "f"
    before = os.umask(0)
    try:
        for data in (b"old", b"new"):
            replace(path, data)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_is_replaced_and_what_it_leads_to_is_not(tmp_path: Path) -> None:
    """Somebody may have put it there."""
    target, path = tmp_path / "target", tmp_path / "f"
    target.write_bytes(b"theirs")
    path.symlink_to(target)
    replace(path, b"ours")
    assert (target.read_bytes(), path.read_bytes(), path.is_symlink()) == (
        b"theirs",
        b"ours",
        False,
    )


def test_a_new_file_is_never_made_where_something_stands(tmp_path: Path) -> None:
    """Not even where a link leads to nothing."""
    target, path = tmp_path / "target", tmp_path / "f"
    path.symlink_to(target)
    with pytest.raises(FileExistsError):
        create(path, b"ours")
    assert not target.exists()
    assert path.is_symlink()


def test_the_name_of_the_new_file_cannot_be_known_before(tmp_path: Path) -> None:
    """It stands in the same folder, so that it can take the place in one step."""
    names = {beside(tmp_path / "f") for _ in range(100)}
    assert len(names) == 100
    assert {name.parent for name in names} == {tmp_path}


def test_a_file_like_another_has_its_mode(tmp_path: Path) -> None:
    """Also one that is wider than the umask."""
    old = tmp_path / "old"
    old.touch()
    old.chmod(0o664)
    create(tmp_path / "new", b"x", like=old.stat())
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o664


def test_when_the_disk_is_full_the_old_file_stands_and_nothing_is_left(tmp_path: Path) -> None:
    """As far as a limit of the process's can play a full disk."""
    path = tmp_path / "f"
    replace(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            replace(path, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_step_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """As where the place is a folder."""
    (tmp_path / "f").mkdir()
    new = tmp_path / "new"
    create(new, b"x")
    with pytest.raises(OSError, match="directory"):
        take_place(new, tmp_path / "f")
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "f", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "new"]


def test_whoever_reads_never_sees_a_half_also_when_the_writer_is_killed(tmp_path: Path) -> None:
    """At any moment."""
    path = tmp_path / "f"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        ends = time.monotonic() + 0.15
        while time.monotonic() < ends:
            if path.exists():
                assert path.read_bytes() in (b"a" * 200_000, b"b" * 200_000)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert path.read_bytes() in (b"a" * 200_000, b"b" * 200_000)
