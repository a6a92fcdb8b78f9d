"""Random messages and streams against the reference parses; `make fuzz` does it for ten minutes."""

from __future__ import annotations

from tests import fuzz


def test_no_input_makes_a_crash_or_a_difference() -> None:
    """Always the same inputs, so that it fails for everybody or for nobody."""
    assert fuzz.main(5, seed=20260728) > 100
