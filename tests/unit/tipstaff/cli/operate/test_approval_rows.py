"""Several approvals at once: as a table, as lines of changes, as JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from pdp.api.v1 import types_pb2
from tests.held_messages import NOW_MS, answer, held_call
from tipstaff.cli.operate.approval_rows import as_plain, change_line, table, unique_starts


@pytest.mark.parametrize("width", [80, 120])
def test_no_identifier_and_no_name_is_cut(width: int) -> None:
    """Whoever answers copies it."""
    call = held_call("a-" + "0123456789abcdef" * 2, target="send_invoice_to_customer_by_post")
    printed = io.StringIO()
    Console(file=printed, width=width).print(table([call], NOW_MS))
    assert call.id in printed.getvalue()
    assert "…" not in printed.getvalue()
    assert "by_post" in printed.getvalue().replace("\n", "").replace(" ", "")[-200:]
    assert "12 min" in printed.getvalue()


def test_an_ended_approval_has_no_end_before_it() -> None:
    """A refusal answers equal calls for a while, and yet nothing waits there."""
    printed = io.StringIO()
    calls = [held_call(state="refused"), held_call(state="used", ends_at_ms=0)]
    Console(file=printed, width=120).print(table(calls, NOW_MS))
    assert "12 min" not in printed.getvalue()


def test_a_change_is_one_line() -> None:
    """Whatever the names and the note hold."""
    call = held_call(
        state="refused", target="p\ny", answers=[answer(is_grant=False, note="no\u202e")]
    )
    assert change_line(call).plain == (
        "2026-09-21 14:10:20Z refused   a-0199f0c3a1b2aa token:ci bank p⟨U+000A⟩y "
        '(no by bo: "no⟨U+202E⟩")'
    )


def test_what_is_no_tool_is_told_with_its_method() -> None:
    """A resource may be held as well."""
    call = held_call(method="resources/read", target="file:///x")
    assert "bank resources/read file:///x" in change_line(call).plain


def test_programs_get_words_numbers_and_the_arguments_as_they_are() -> None:
    """A number keeps its text, and a time is no text."""
    limit = types_pb2.LimitResult(name="l", scope="session", max=3, window_seconds=60, cost=1)
    plain = as_plain(held_call(answers=[answer()], limits=[limit]))
    assert json.loads(json.dumps(plain)) == plain
    assert plain["state"] == "pending"
    assert plain["arguments_json"] == '{"to": "ana", "amount": 1.00}'
    assert plain["ends_at_ms"] == NOW_MS + 720_000
    assert plain["terms"][0]["approvers"] == ["finance"]
    assert plain["answers"][0]["is_grant"] is True
    assert plain["limits"] == [
        {"name": "l", "scope": "session", "max": 3, "window_seconds": 60, "cost": 1}
    ]


@pytest.mark.parametrize(
    ("ids", "lengths"),
    [
        (["a-0123456789"], [6]),
        (["a-0123456789", "a-0123456799"], [11, 11]),
        (["a-01234567", "a-9", "a-01234568"], [10, 3, 10]),
        (["a-012345678", "a-01234567"], [11, 10]),
        ([], []),
    ],
)
def test_the_start_that_names_an_approval_is_its_own(ids: list[str], lengths: list[int]) -> None:
    """As short as it may be, and long enough to be read."""
    assert unique_starts(ids) == lengths
