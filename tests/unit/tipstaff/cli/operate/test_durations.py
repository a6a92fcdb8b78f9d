"""Spans of time, as options write them and as people read them."""

from __future__ import annotations

import pytest

from tipstaff.cli.errors import OptionError
from tipstaff.cli.operate.durations import seconds, words


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0 s"), (-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (90, "1 min 30 s"), (754, "12 min"),
        (3600, "1 h"), (7500, "2 h 5 min"), (86_400, "1 d"), (273_700, "3 d 4 h"),
    ],
)  # fmt: skip
def test_a_span_is_told_in_two_units_at_most(span: float, text: str) -> None:
    """Nobody counts seconds over hours."""
    assert words(span) == text


@pytest.mark.parametrize(
    ("text", "span"), [("30s", 30), ("15m", 900), (" 1h ", 3600), ("7d", 604_800)]
)
def test_an_option_names_a_number_and_a_unit(text: str, span: int) -> None:
    """Of any size that rules know."""
    assert seconds("--for", text) == span


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "-1h", "1.5h", "1w", "1h30m", "1s"])
def test_what_means_no_span_is_refused(text: str) -> None:
    """The message names the option, and what it takes."""
    with pytest.raises(OptionError, match=r"--expires .*: write a number and m, h or d"):
        seconds("--expires", text, "mhd")
