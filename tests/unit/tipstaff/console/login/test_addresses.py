"""Ways in: once, for one person, for a while."""

from __future__ import annotations

import stat
from pathlib import Path

from tipstaff.console.login import addresses
from tipstaff.console.sessions import LOGIN_SECONDS


def test_a_way_in_is_used_once(tmp_path: Path) -> None:
    """And is in no file."""
    secret = addresses.issue(tmp_path, "ana", 1000.0)
    texts = [path.name + path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(texts) == 1
    assert secret not in texts[0]
    assert addresses.use(tmp_path, secret, 1001.0) == "ana"
    assert addresses.use(tmp_path, secret, 1001.0) == ""


def test_a_way_in_is_too_old_after_a_while(tmp_path: Path) -> None:
    """And is used up by the try."""
    secret = addresses.issue(tmp_path, "ana", 1000.0)
    assert addresses.use(tmp_path, secret, 1000.0 + LOGIN_SECONDS) == ""
    assert addresses.use(tmp_path, secret, 1000.0) == ""


def test_nobody_comes_in_by_a_guess_or_a_path(tmp_path: Path) -> None:
    """Nor by the name of a file, which is the digest."""
    addresses.issue(tmp_path, "ana", 1000.0)
    (name,) = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    for text in ("", "x", name, name[:43], "../x", "a" * 43):
        assert addresses.use(tmp_path, text, 1000.0) == ""


def test_nobody_else_of_the_machine_sees_who_may_come_in(tmp_path: Path) -> None:
    """The folder is its owner's alone."""
    addresses.issue(tmp_path, "ana", 1000.0)
    (folder,) = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
