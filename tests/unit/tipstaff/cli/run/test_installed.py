"""What was installed is what is run; looking twice at the same file costs one look."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tipstaff.cli.run import installed
from tipstaff.cli.run.installed import BrokenInstallError, check, record


def test_a_file_is_read_again_only_when_something_of_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to it changes its times, not what is in it."""
    path = tmp_path / "opa"
    path.write_bytes(b"program")
    assert not check(path)
    record(path)
    reads: list[Path] = []
    monkeypatch.setattr(installed, "sha256", lambda file: reads.append(file) or SHA)
    assert check(path)
    assert reads == []
    os.link(path, tmp_path / "link")
    assert check(path)
    assert check(path)
    assert reads == [path]


SHA = hashlib.sha256(b"program").hexdigest()


def test_another_content_is_found_though_its_size_and_time_are_the_same(tmp_path: Path) -> None:
    """The time of the last change cannot be set."""
    path = tmp_path / "opa"
    path.write_bytes(b"program")
    record(path)
    times = path.stat()
    path.write_bytes(b"PROGRAM")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(BrokenInstallError, match="is not what was installed"):
        check(path)


def test_a_record_that_cannot_be_read_is_no_record_of_anything(tmp_path: Path) -> None:
    """Neither trusted nor passed over."""
    path = tmp_path / "opa"
    path.write_bytes(b"program")
    (tmp_path / "opa.installed.json").write_text("{")
    with pytest.raises(BrokenInstallError, match="cannot be read"):
        check(path)
    record(path)
    assert check(path)
