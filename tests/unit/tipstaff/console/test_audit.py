"""What people did is written down, and read back."""

from __future__ import annotations

from pathlib import Path

from tipstaff.console.audit import FILE, Audit


class Wall:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_actions_are_read_back_the_newest_first(tmp_path: Path) -> None:
    """Each with who, what, when, and why it was not taken."""
    audit = Audit(tmp_path, Wall())
    assert audit.newest() == []
    audit.add("login", "ana")
    audit.add("grant", "ana", "a-1", note="fine", refused="too late")
    last, first = audit.newest()
    assert (first.action, first.person, first.timestamp) == (
        "login",
        "ana",
        "2027-01-15T08:00:00+00:00",
    )
    assert (last.object, last.note, last.refused) == ("a-1", "fine", "too late")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_refused_logins_of_a_minute_are_one_line(tmp_path: Path) -> None:
    """So that nobody fills the disk by trying."""
    wall = Wall()
    audit = Audit(tmp_path, wall)
    for _ in range(1000):
        audit.login_refused("unknown")
    wall.now += 61
    audit.login_refused("unknown")
    assert [action.times for action in audit.newest()] == [1000, 1]


def test_what_others_wrote_there_is_left_out(tmp_path: Path) -> None:
    """A torn line hides no other, and a long file is read from its end."""
    audit = Audit(tmp_path, Wall())
    (tmp_path / FILE).write_bytes(b'{"torn\n' + b"x" * 400_000 + b"\n")
    audit.add("login", "ana")
    assert [action.person for action in audit.newest()] == ["ana"]


def test_texts_are_cut_and_lines_stay_lines(tmp_path: Path) -> None:
    """Whatever a person writes."""
    audit = Audit(tmp_path, Wall())
    audit.add("refuse", "ana", "a-1", note="a\nb" + "x" * 5000)
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 1
    (action,) = audit.newest()
    assert action.note.startswith("a\nb")
    assert len(action.note) < 400


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """And a file that cannot be written stops nobody."""
    other = tmp_path / "other"
    other.write_text("")
    (tmp_path / FILE).symlink_to(other)
    Audit(tmp_path, Wall()).add("login", "ana")
    assert other.read_text() == ""
