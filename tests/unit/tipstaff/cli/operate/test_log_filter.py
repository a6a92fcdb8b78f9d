"""Which records are meant: by who, what, why and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tipstaff.cli.errors import OptionError
from tipstaff.cli.operate.log_filter import Filter, Unmatched, parse_since

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
RECORD: dict[str, Any] = {
    "timestamp": "2026-11-26T11:55:00.000001Z",
    "effect": "deny",
    "reason": {"code": "rate_limited"},
    "server": "files",
    "target": "read_file",
    "principal": {"id": "jwt:alice"},
}


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("10m", 11, 50),
        ("2h", 10, 0),
        ("90s", 11, 58),
        ("2026-11-26", 0, 0),
        ("2026-11-26T10:00", 10, 0),
        ("2026-11-26 10:00:30", 10, 0),
        ("2026-11-26T12:30+01:00", 11, 30),
        ("2026-11-26T10:00Z", 10, 0),
    ],
)
def test_a_time_is_an_age_or_an_instant_of_the_records_zone(
    text: str, hour: int, minute: int
) -> None:
    """Unless it names another."""
    since = parse_since(text, NOW).astimezone(UTC)
    assert (since.day, since.hour, since.minute) == (26, hour, minute)


@pytest.mark.parametrize(
    "text", ["10", "m", "-5m", "1w", "11:00", "today", "2026-13-01", "999999d"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """With what would be one."""
    with pytest.raises(OptionError, match=r"neither an age \(30s, .*\) nor a time in UTC"):
        parse_since(text, NOW)


@pytest.mark.parametrize("record", [{}, {"timestamp": 3}, {"timestamp": "2026-11-26T11:00:00"}])
def test_a_record_without_a_proper_time_is_not_since_anything(record: dict[str, Any]) -> None:
    """It may be from any time."""
    assert not Filter(since=parse_since("10m", NOW)).fits(record)
    assert Filter().fits(record)


@pytest.mark.parametrize("field", ["server", "tool", "effect", "code", "caller"])
def test_no_filter_fits_a_record_that_says_nothing_of_it(field: str) -> None:
    """Of whatever type the record's parts are."""
    wanted = Filter(**{field: "x"})
    for record in ({}, {"reason": 3, "principal": [], "server": None}, RECORD):
        assert not wanted.fits(record)


def test_a_star_stands_for_anything() -> None:
    """At any place; nothing else is special but what a shell knows too."""
    assert Filter(tool="read_*", caller="*:alice").fits(RECORD)
    assert not Filter(tool="read_*", caller="*:bob").fits(RECORD)


def test_only_values_that_no_record_has_are_told_of() -> None:
    """With two options that each fit some record, neither is wrong."""
    unmatched = Unmatched(Filter(server="flies", tool="read_file", caller="x*"))
    unmatched.note(RECORD)
    assert list(unmatched.reasons()) == ["no record has the server flies; did you mean `files`?"]
