"""States, times and moments in words."""

from __future__ import annotations

import pytest

from pdp.api.v1 import approvals_pb2
from tipstaff.console.views.words import left, moment, state


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(1, "1 s"), (119_000, "119 s"), (120_001, "3 min"), (7_200_000, "2 h")],
)
def test_a_time_that_is_left_is_rounded_up(milliseconds: int, shown: str) -> None:
    """Nobody is told of less than there is."""
    assert left(milliseconds) == shown


def test_a_moment_and_a_state_are_words() -> None:
    """In one time zone for all."""
    assert moment(0) == "1970-01-01 00:00:00 UTC"
    assert state(approvals_pb2.HeldCall(state=approvals_pb2.APPROVAL_STATE_USED)) == "used"
