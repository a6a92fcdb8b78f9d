"""The file of changed tools: kept over a restart, or an error that says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from msgspec import structs

from pdp.errors import ConfigError
from pdp.tools.catalogue import Pin
from pdp.tools.changed_tools import Sighting
from pdp.tools.changed_tools_file import ChangesFile

PIN = Pin("sha256:" + "a" * 64)
ONE = Sighting("files", "read", PIN, "sha256:" + "b" * 64)
OTHER = structs.replace(ONE, tool="write")


def test_a_sighting_survives_a_restart(tmp_path: Path) -> None:
    """Also the second one, and in a folder that was not there."""
    path = tmp_path / "state" / "changed.json"
    ChangesFile(path).note([ONE])
    second = ChangesFile(path)
    second.note([OTHER])
    third = ChangesFile(path)
    assert third.seen("files", "read", PIN) == third.seen("files", "write", PIN) == ONE.seen


def test_the_file_is_readable_by_its_owner_only_and_alone(tmp_path: Path) -> None:
    """No left-over of the replacement stands beside it."""
    path = tmp_path / "changed.json"
    changes = ChangesFile(path)
    assert not path.exists()
    changes.note([ONE])
    changes.note([OTHER])
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_log_names_the_tool_and_both_digests_once(tmp_path: Path) -> None:
    """Not at every list from then on, nor after a restart; and nothing is written again."""
    path = tmp_path / "changed.json"
    changes = ChangesFile(path)
    with structlog.testing.capture_logs() as logs:
        changes.note([ONE])
        written = path.stat().st_mtime_ns, path.stat().st_ino
        changes.note([ONE])
        ChangesFile(path).note([ONE])
    assert logs == [
        {
            "event": "tool changed",
            "log_level": "warning",
            "server": "files",
            "tool": "read",
            "pinned": PIN.digest,
            "seen": ONE.seen,
        }
    ]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"changed": ['])
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path, content: bytes) -> None:
    """To begin without it would open what is closed."""
    path = tmp_path / "changed.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"changed\.json.*delete it"):
        ChangesFile(path)
    assert path.read_bytes() == content


def test_something_else_at_its_place_stops_the_start(tmp_path: Path) -> None:
    """A folder, for one."""
    with pytest.raises(ConfigError, match="cannot read"):
        ChangesFile(tmp_path)


def test_a_write_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    """The tool stays closed meanwhile; the next look at a list saves what was not."""
    folder = tmp_path / "state"
    changes = ChangesFile(folder / "changed.json")
    folder.write_text("in the way")
    with structlog.testing.capture_logs() as logs:
        changes.note([ONE])
    assert [one["log_level"] for one in logs] == ["warning", "error"]
    assert changes.seen("files", "read", PIN) == ONE.seen
    folder.unlink()
    changes.note([ONE])
    assert ChangesFile(folder / "changed.json").seen("files", "read", PIN) == ONE.seen
