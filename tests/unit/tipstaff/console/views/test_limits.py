"""The page of limits: how full each is, and who may empty it."""

from __future__ import annotations

import re
from typing import Any

from pdp.api.v1 import limits_pb2
from tests.unit.tipstaff.console.test_history import history, record
from tests.unit.tipstaff.console.views.test_approvals import ANA, VIEWER, text
from tipstaff.console.history import History
from tipstaff.console.views.limits import MOST_ROWS, limits


def counter(**more: Any) -> limits_pb2.Counter:
    return limits_pb2.Counter(
        **{
            "name": "bank/pay", "scope": "session", "window_seconds": 60, "used": 3,
            "algorithm": "sliding_log", "subject": ["ana", "mcp", "s"], "free_in_ms": 5000, **more,
        }
    )  # fmt: skip


def reply(
    *counters: limits_pb2.Counter, truncated: bool = False
) -> limits_pb2.LimitServiceListResponse:
    return limits_pb2.LimitServiceListResponse(counters=counters, truncated=truncated)


def fields(body: bytes) -> dict[str, str]:
    form = body.decode().partition('action="/limits/reset"')[0].rpartition("<form")
    found = form[2] + body.decode().partition('action="/limits/reset"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', found))


def test_a_limit_shows_how_much_of_it_is_used() -> None:
    """Where a decision has told what it allows; else the number alone."""
    limit = {"name": "bank/pay", "scope": "session", "max": 5, "window": 60}
    seen = history(record(1, limits=[limit]))
    assert "3 of 5 in 60 s" in text(limits(ANA, reply(counter()), seen))
    assert "3 in 60 s" in text(limits(ANA, reply(counter()), History()))
    assert "3 at once" in text(limits(ANA, reply(counter(algorithm="concurrency")), History()))
    assert "counts time" in text(limits(ANA, reply(counter(algorithm="gcra")), History()))


def test_a_caller_s_counter_is_reset_by_the_caller_s_name() -> None:
    """That of a tool by the limit's alone, which the button says."""
    assert fields(limits(ANA, reply(counter()), History())) == {
        "token": "form-token", "name": "bank/pay", "principal": "ana", "session": "s",
    }  # fmt: skip
    shared = limits(ANA, reply(counter(scope="tool", subject=["bank", "pay"])), History())
    assert (fields(shared)["principal"], fields(shared)["session"]) == ("", "")
    assert "Reset for all" in text(shared)


def test_who_may_look_has_no_button() -> None:
    """And sees the same."""
    body = limits(VIEWER, reply(counter(shadow=True)), History())
    assert b"/limits/reset" not in body
    assert "shadow" in text(body)


def test_what_does_not_fit_is_said() -> None:
    """And an empty page says how limits come there."""
    many = reply(*(counter(name=f"l{number}") for number in range(MOST_ROWS + 1)))
    assert "tipstaff limits list" in text(limits(ANA, many, History()))
    assert "tipstaff limits list" in text(limits(ANA, reply(counter(), truncated=True), History()))
    assert "rate_limit" in text(limits(ANA, reply(), History(), "Reset: 3."))
    assert "Reset: 3." in text(limits(ANA, reply(), History(), "Reset: 3."))


def test_no_text_of_a_caller_is_markup() -> None:
    """Names of callers and sessions are theirs."""
    bad = counter(subject=["<script>alert(1)</script>", "mcp", '"><img src=x>'])
    body = limits(ANA, reply(bad), History())
    assert b"<script>alert" not in body
    assert b"<img" not in body
