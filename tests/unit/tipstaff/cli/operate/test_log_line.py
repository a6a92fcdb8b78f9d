"""One record as one line that people read, and that no caller can forge."""

from __future__ import annotations

from typing import Any

import pytest

from tipstaff.cli.operate.log_line import cause, details, line

RECORD: dict[str, Any] = {
    "decision_id": "d1",
    "timestamp": "2026-09-21T14:13:20.123456Z",
    "effect": "deny",
    "reason": {"code": "rate_limited", "message": "Too often."},
    "server": "files",
    "method": "tools/call",
    "target": "read_file",
    "phase": "call",
    "arguments": {"path": "/x"},
    "principal": {"id": "jwt:alice", "kind": "jwt"},
    "session": {"id": "jwt:alice", "kind": "principal"},
    "rule": "servers.files.tools.read_file",
    "limits": [{"name": "files/read", "scope": "session", "max": 3, "window": 60, "remaining": 0}],
    "timings": {"policy_us": 1, "total_us": 2500},
}
WIDTHS = pytest.mark.parametrize("width", [80, 120])


def test_a_line_says_when_what_why_who_and_on_what() -> None:
    """With the date, and the caller as it is."""
    assert line(RECORD, 120).plain == (
        "2026-09-21 14:13:20Z deny rate_limited      jwt:alice           "
        'files read_file {"path": "/x"}'
    )


def test_a_narrow_line_leaves_out_the_year_and_nothing_that_matters() -> None:
    """It is one line too."""
    assert line(RECORD, 80).plain == (
        '09-21 14:13:20 deny rate_limited      jwt:alice      files read_file {"path": "…'
    )


@WIDTHS
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Counted in columns: some characters take two."""
    record = {
        **RECORD,
        "principal": {"id": "jwt:" + "a" * 200, "kind": "jwt"},
        "target": "読" * 100,
        "fault": "x" * 200,
    }
    assert line(record, width).cell_len <= width


SHADOW = {"shadow": [{"effect": "deny", "reason": {"code": "no_permit"}, "rule": "r"}]}


@pytest.mark.parametrize(
    ("width", "more", "shown"),
    [
        (120, {"fault": "conflict"}, "cause: conflict"),
        (120, SHADOW, "would deny: no_permit"),
        (80, SHADOW, "allow (deny no_permit)"),
    ],
)
def test_the_cause_of_a_fault_and_what_a_shadow_would_do_stand_before_the_arguments(
    width: int, more: dict[str, Any], shown: str
) -> None:
    """And a long target leaves them room."""
    record = {**RECORD, "reason": {"code": "allowed"}, "effect": "allow", **more}
    for long in ({"arguments": {"a": "x" * 200}}, {"target": "file:///" + "x" * 200}):
        text = line({**record, **long}, width)
        assert shown in text.plain
        assert text.cell_len == width


def test_of_a_long_name_both_ends_are_shown() -> None:
    """Those of one issuer begin alike; with room it is whole."""
    name = "jwt:auth0|5f7c8ec7c33c6c004bba"
    record = {**RECORD, "principal": {"id": name, "kind": "jwt"}}
    assert f" {name} " in line(record, 120).plain
    assert " jwt:auth0|5f…004bba " in line(record, 80).plain


def test_other_methods_and_entries_of_lists_are_told_from_calls() -> None:
    """A tool's call needs no word."""
    read = {**RECORD, "method": "resources/read", "target": "file:///x"}
    assert "files resources/read file:///x" in line(read, 120).plain
    assert "files file:///x" in line(read, 80).plain
    listed = {**RECORD, "phase": "list"}
    assert "files (list) read_file" in line(listed, 120).plain


@pytest.mark.parametrize("width", [None, 80, 120])
def test_no_text_of_a_caller_moves_the_cursor_or_begins_a_line(width: int | None) -> None:
    """Control characters are shown, not sent."""
    forged = {
        **RECORD,
        "principal": {"id": "jwt:\x1b[2J", "kind": "jwt"},
        "target": "x\n14:00 allow\x1b[2J",
        "arguments": {"a": "\x1b]0;x\x07"},
        "fault": "a\nb\x9b",
    }
    assert line(forged, width).plain.isprintable()
    assert all(row.plain.isprintable() for row in details(forged))
    assert r"x 14:00 allow\u{1b}[2J" in line(forged).plain


def test_what_the_line_has_no_room_for_is_told_below_it() -> None:
    """Whose a limit is, too: this caller had no session of its own."""
    rows = [row.plain.strip() for row in details({**RECORD, "fault": "conflict"})]
    assert rows == [
        "reason   Too often.",
        "cause    conflict",
        "rule     servers.files.tools.read_file",
        "session  none, counted as the caller",
        "limit    files/read allows 3 per 60 s per caller, 0 left",
        "decision d1",
        "took     2.5 ms",
    ]


def test_a_narrow_line_has_the_cause_of_a_fault_below_it() -> None:
    """There it is told to the end of the line; a wide one has room."""
    record = {**RECORD, "fault": "conflict\n" + "x" * 200}
    (row,) = cause(record, 80)
    assert row.plain.startswith("    cause: conflict x")
    assert row.cell_len == 80
    assert list(cause(record, 120)) == list(cause(RECORD, 80)) == []


def test_a_session_of_its_own_is_told_whole() -> None:
    """One can ask for its counters by it."""
    record = {**RECORD, "session": {"id": "a" * 40, "kind": "cooperative"}}
    assert "session  cooperative " + "a" * 40 in [row.plain.strip() for row in details(record)]
