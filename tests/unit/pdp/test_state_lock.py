"""The lock on a state folder: one holder, told by name, gone with its last process."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pdp import state_lock
from pdp.errors import ConfigError
from pdp.state_lock import Holder, StateInUse

US = Holder(os.getpid(), "tipstaff up", "/site/tipstaff.toml")


def test_who_comes_second_is_told_who_is_there(tmp_path: Path) -> None:
    """And what to do; once it is released, the next has it."""
    lock = state_lock.take(tmp_path, US)
    with pytest.raises(StateInUse, match=rf"another Tipstaff, pid {os.getpid()} \(tipstaff up\),"):
        state_lock.take(tmp_path, Holder(1, "tipstaff pdp", "x"))
    lock.release()
    lock.release()
    assert state_lock.take(tmp_path, US).holder == US


def test_the_loser_of_a_race_names_the_winner_or_nobody(tmp_path: Path) -> None:
    """What a crashed holder has written is not taken for the new one's name for long."""
    lock = state_lock.take(tmp_path, US)
    (tmp_path / "lock").write_text("")
    with pytest.raises(StateInUse, match=rf"^another Tipstaff uses {tmp_path}: ") as caught:
        state_lock.take(tmp_path, US)
    assert caught.value.holder is None
    lock.release()


def test_a_child_holds_it_on_when_its_parent_lets_go(tmp_path: Path) -> None:
    """Until it ends, however it does."""
    lock = state_lock.take(tmp_path, US)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command, pass_fds=(lock.descriptor,)) as child:
        lock.release()
        with pytest.raises(StateInUse):
            state_lock.take(tmp_path, US)
        child.kill()
        child.wait()
    state_lock.take(tmp_path, US).release()


def test_a_descriptor_is_adopted_only_if_it_is_the_lock(tmp_path: Path) -> None:
    """A wrong number must not run a second service."""
    lock = state_lock.take(tmp_path, US)
    copy = os.dup(lock.descriptor)
    with state_lock.held(tmp_path, Holder(1, "x", "x"), copy) as adopted:
        assert adopted.holder == US
    with (tmp_path / "other").open("w") as other:
        for wrong in (other.fileno(), 9999):
            with pytest.raises(ConfigError, match="is no"):
                state_lock.adopt(tmp_path, wrong)


def test_a_second_open_of_the_file_is_not_the_lock(tmp_path: Path) -> None:
    """The same file, but not the descriptor that locked it."""
    lock = state_lock.take(tmp_path, US)
    with (tmp_path / "lock").open("r+") as other, pytest.raises(ConfigError, match="is no lock"):
        state_lock.adopt(tmp_path, other.fileno())
    lock.release()


def test_a_file_system_without_locks_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a start without one."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ConfigError, match=r"cannot lock .*No locks available.*another state_dir"):
        state_lock.take(tmp_path, US)


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """What it leads to would be overwritten."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "lock").symlink_to("mine")
    with pytest.raises(ConfigError, match="cannot use"):
        state_lock.take(tmp_path, US)
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_socket_outside_the_folder_has_a_lock_of_its_own(tmp_path: Path) -> None:
    """Two state folders may name one socket."""
    lock = state_lock.take_socket(tmp_path / "x.sock", US)
    with pytest.raises(StateInUse, match=r"or set \[pdp\] listen to another"):
        state_lock.take_socket(tmp_path / "x.sock", US)
    lock.release()
