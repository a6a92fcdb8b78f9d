"""Files of ours: nobody else can open them, at any instant, under any umask."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdp.errors import ConfigError
from pdp.private_files import changing, make_folder, open_private

ROOT = Path(__file__).parents[3]
WAITS = """
import sys
from pathlib import Path
from pdp.private_files import changing
path = Path(sys.argv[1])
with changing(path):
    print(path.read_text(), end="")
"""


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    mask = os.umask(0)
    yield
    os.umask(mask)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_and_all_that_was_missing_above_it_are_ours_alone(tmp_path: Path) -> None:
    """Whoever could rename what is above it could put another in its place."""
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert [mode(tmp_path / name) for name in ("a", "a/b")] == [0o700, 0o700]


@pytest.mark.parametrize("wide", [0o755, 0o710, 0o777, 0o701])
def test_a_folder_that_others_can_enter_is_refused_and_left_as_it_is(
    tmp_path: Path, wide: int
) -> None:
    """It says what to do."""
    folder = tmp_path / "state"
    folder.mkdir(mode=wide)
    with pytest.raises(ConfigError, match=f"chmod 700 {folder}"):
        make_folder(folder)
    assert mode(folder) == wide


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a link that another user has put there."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    uid = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(ConfigError, match="belongs to another user"):
        make_folder(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """A file, or one in the way."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(ConfigError):
            make_folder(path)


def test_a_file_is_ours_from_the_first_instant_and_no_link_is_followed(tmp_path: Path) -> None:
    """The mode is given when it is made."""
    os.close(open_private(tmp_path / "a", os.O_WRONLY))
    assert mode(tmp_path / "a") == 0o600
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        open_private(tmp_path / "link", os.O_WRONLY)
    assert (tmp_path / "a").read_text() == ""


def test_who_changes_a_file_waits_for_who_is_at_it(tmp_path: Path) -> None:
    """A lock that cannot be had is an error, not a change without one."""
    path = tmp_path / "tokens.json"
    with changing(path):
        command = [sys.executable, "-c", WAITS, str(path)]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        path.write_text("changed")
    assert waiting.communicate(timeout=20)[0] == b"changed"
    (tmp_path / "folder" / ".x.lock").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot use"), changing(tmp_path / "folder" / "x"):
        raise AssertionError
