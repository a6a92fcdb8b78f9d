"""What pages know of a changed definition."""

from __future__ import annotations

from tipstaff.console.definitions import Change


def test_a_change_without_signs_has_none() -> None:
    """So that a page asks for no confirmation."""
    assert Change("bank", "pay", "sha256:1", "", "", "").signs == ()
