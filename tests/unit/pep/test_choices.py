"""What the configuration may choose from."""

from __future__ import annotations

from typing import get_args

from pep.choices import DenialStyle, ToolNames


def test_the_first_choice_is_the_strict_one() -> None:
    """It is the default."""
    assert get_args(ToolNames)[0] == "strict"
    assert get_args(DenialStyle)[0] == "result"
