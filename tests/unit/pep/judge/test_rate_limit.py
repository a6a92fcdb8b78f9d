"""Budgets as header lines."""

from __future__ import annotations

from typing import Any

from pdp.api.model import LimitResult
from pep.judge.rate_limit import lines


def limit(name: str = "files/read", **more: Any) -> LimitResult:
    facts: dict[str, Any] = {
        "scope": "session", "max": 10, "window": 60, "cost": 1, "remaining": 4, "passed": True,
    }  # fmt: skip
    return LimitResult(name=name, **{**facts, **more})


def told(*limits: LimitResult) -> dict[bytes, bytes]:
    return dict(lines(limits))


def test_a_limit_tells_what_it_allows_and_what_is_left() -> None:
    """Each by its name, in one line."""
    assert told(limit(), limit("all", max=600, remaining=7)) == {
        b"ratelimit-policy": b'"files/read";q=10;w=60, "all";q=600;w=60',
        b"ratelimit": b'"files/read";r=4, "all";r=7',
    }


def test_a_limit_that_refuses_tells_when_there_is_room() -> None:
    """In whole seconds, rounded up; a call that can never pass waits for nothing."""
    refused = limit(passed=False, remaining=0, retry_after_ms=1001)
    assert told(refused)[b"ratelimit"] == b'"files/read";r=0;t=2'
    never = limit(passed=False, remaining=4, retry_after_ms=-1)
    assert told(never)[b"ratelimit"] == b'"files/read";r=4'


def test_calls_under_way_have_no_window() -> None:
    """Their quota has a unit of its own."""
    policy = told(limit(algorithm="concurrency"))[b"ratelimit-policy"]
    assert policy == b'"files/read";q=10;qu="concurrent-requests"'


def test_a_limit_that_only_watches_is_not_told() -> None:
    """Nor is there a line for no limit."""
    assert lines([]) == lines([limit(shadow=True)]) == []


def test_a_name_can_neither_end_its_string_nor_its_line() -> None:
    """Names come from rules, and a rule may say anything."""
    policy = told(limit('a"b\\c\r\nd é%'))[b"ratelimit-policy"]
    assert policy == b'"a%22b%5Cc%0D%0Ad %C3%A9%25";q=10;w=60'
