"""A line of the audit file."""

from __future__ import annotations

import msgspec

from tipstaff.console.action import Action


def test_a_line_has_what_there_is_to_say() -> None:
    """And nothing else."""
    assert msgspec.json.encode(Action("t", "login", "ana")) == (
        b'{"timestamp":"t","action":"login","person":"ana"}'
    )
