"""The journal: whole lines or an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pdp.errors import JournalError
from pdp.journal import FileJournal


def test_lines_are_appended_in_order(tmp_path: Path) -> None:
    """Two writes stand one after the other, also over a restart."""
    path = tmp_path / "new" / "records.jsonl"
    first = FileJournal(path)
    first.write([b"a\n", b"b\n"])
    first.close()
    FileJournal(path).write([b"c\n"])
    assert path.read_bytes() == b"a\nb\nc\n"


def test_records_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """They tell who does what."""
    FileJournal(tmp_path / "r.jsonl")
    assert (tmp_path / "r.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error() -> None:
    """`/dev/full` takes nothing, and the journal says so."""
    with pytest.raises(JournalError, match="No space left"):
        FileJournal(Path("/dev/full")).write([b"a\n"])


def test_a_line_that_only_fits_in_part_is_cut_off_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half line stays behind for a reader to stumble over."""
    path = tmp_path / "r.jsonl"
    journal = FileJournal(path)
    journal.write([b"whole\n"])
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    with pytest.raises(JournalError, match="only 3 of 7"):
        journal.write([b"partly\n"])
    assert path.read_bytes() == b"whole\n"


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """Log rotation needs no signal."""
    path = tmp_path / "r.jsonl"
    journal = FileJournal(path)
    journal.write([b"old\n"])
    path.rename(tmp_path / "r.1")
    journal._looked = 0.0
    journal.write([b"new\n"])
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "other").rename(path)
    journal._looked = 0.0
    journal.write([b"newer\n"])
    assert (tmp_path / "r.1").read_bytes() == b"old\n"
    assert path.read_bytes() == b"newer\n"


def test_a_place_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot write records"):
        FileJournal(tmp_path / "file" / "r.jsonl")
