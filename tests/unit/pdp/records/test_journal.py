"""The journal: whole lines or an error."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pdp.errors import JournalError
from pdp.records.journal import FileJournal


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


def test_folders_that_were_missing_are_their_owners_alone(tmp_path: Path) -> None:
    """Each of them: whoever may rename one could put another in its place."""
    FileJournal(tmp_path / "a" / "b" / "r.jsonl").close()
    for name in ("a", "a/b"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


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


@pytest.mark.parametrize("left", [b'{"half":"a li', b'{"whole":1}\n{"ha', b"\xc3"])
def test_a_record_never_goes_on_in_the_rest_of_another(tmp_path: Path, left: bytes) -> None:
    """As a process leaves it that was killed while it wrote: the first record begins a line."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(left)
    journal = FileJournal(path)
    journal.write([b'{"a":1}\n'])
    journal.write([b'{"b":2}\n'])
    assert path.read_bytes() == left + b'\n{"a":1}\n{"b":2}\n'


def test_a_file_of_whole_lines_gets_no_empty_one(tmp_path: Path) -> None:
    """Nor does one that was moved away and begun anew, nor a write of nothing."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"a":1}\n')
    journal = FileJournal(path)
    journal.write([])
    journal.write([b'{"b":2}\n'])
    path.rename(tmp_path / "r.1")
    journal._looked = 0.0
    journal.write([b'{"c":3}\n'])
    assert (tmp_path / "r.1").read_bytes() == b'{"a":1}\n{"b":2}\n'
    assert path.read_bytes() == b'{"c":3}\n'


def test_half_a_line_that_cannot_be_cut_off_stays_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write that failed is an error, and the next begins a line of its own."""
    path = tmp_path / "r.jsonl"
    journal = FileJournal(path)
    journal.write([b"whole\n"])
    with monkeypatch.context() as broken:
        real = os.write
        broken.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
        broken.setattr(os, "ftruncate", lambda descriptor, size: _refuse())
        with pytest.raises(JournalError, match="not permitted"):
            journal.write([b"partly\n"])
    journal.write([b"next\n"])
    journal.write([b"last\n"])
    assert path.read_bytes() == b"whole\npar\nnext\nlast\n"


def _refuse() -> None:
    raise OSError(1, "Operation not permitted")


FULL = """
import os, resource, sys
from pathlib import Path
from pdp.errors import JournalError
from pdp.records.journal import FileJournal

path = Path(sys.argv[1])
if sys.argv[2] == "cannot cut":
    def refuse(descriptor, size):
        raise OSError(1, "Operation not permitted")
    os.ftruncate = refuse
journal = FileJournal(path)
journal.write([b'{"n":0}\\n'])
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
for number in (1, 2):
    try:
        journal.write([b'{"n":%d,"long":"xxxxxxxxxxxxxxx"}\\n' % number])
    except JournalError as error:
        print("refused:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write([b'{"n":3}\\n'])
"""


@pytest.mark.parametrize(
    ("cutting", "lines"),
    [
        ("can cut", [b'{"n":0}', b'{"n":3}']),
        ("cannot cut", [b'{"n":0}', b'{"n":1,"long', b'{"n":3}']),
    ],
)
def test_a_file_system_that_is_full_for_a_while_loses_no_later_record(
    tmp_path: Path, cutting: str, lines: list[bytes]
) -> None:
    """The kernel takes a part of a line, as a full disk does; later there is room again."""
    path = tmp_path / "r.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), cutting], capture_output=True, text=True, check=True
    )
    assert done.stdout.count(f"refused: {path}: ") == 2
    assert path.read_bytes().splitlines() == lines


KILLED = """
import os, signal, sys
from pathlib import Path
from pdp.records.journal import FileJournal

real = os.write
def write(descriptor, data):
    real(descriptor, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
journal = FileJournal(Path(sys.argv[1]))
journal.write([b'{"n":0}\\n'])
os.write = write
journal.write([b'{"n":1}\\n'])
"""


def test_what_a_killed_process_left_of_a_line_spoils_no_other(tmp_path: Path) -> None:
    """The next process begins a line."""
    path = tmp_path / "r.jsonl"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    FileJournal(path).write([b'{"n":2}\n'])
    assert path.read_bytes().splitlines() == [b'{"n":0}', b'{"n"', b'{"n":2}']


def test_that_records_cannot_be_written_is_logged_once_and_so_is_that_they_can_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are denied meanwhile, and the log is where one looks for the cause."""
    journal = FileJournal(tmp_path / "d.jsonl")
    with capture_logs() as lines:
        with monkeypatch.context() as broken:
            broken.setattr(os, "write", _full)
            for _ in range(2):
                with pytest.raises(JournalError):
                    journal.write([b"a\n"])
        journal.write([b"b\n"])
        journal.write([b"c\n"])
    journal.close()
    assert [line["log_level"] for line in lines] == ["error", "info"]
    assert "No space left" in lines[0]["error"]
    assert str(tmp_path) in lines[0]["error"]


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
