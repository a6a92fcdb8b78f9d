"""One record as one line that people read, and that no caller can forge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tipstaff.__main__ import main
from tipstaff.logview import summary

RECORD: dict[str, Any] = {
    "timestamp": "2026-09-21T14:13:20.123456Z",
    "effect": "deny",
    "reason": {"code": "denied_by_rule", "message": "No."},
    "server": "files",
    "method": "tools/call",
    "target": "read",
    "arguments": {"path": "/x"},
    "session": {"id": "a" * 40, "kind": "legacy"},
    "rule": "servers.files.tools.read",
    "timings": {"policy_us": 1, "total_us": 2500},
}


def test_a_line_says_when_what_why_who_and_how_long() -> None:
    """A long session id is cut."""
    assert summary(RECORD).plain == (
        "14:13:20.123 deny  denied_by_rule       files tools/call read "
        '{"path": "/x"} legacy:aaaaaaaaaaaa servers.files.tools.read 2.5 ms'
    )


def test_no_text_of_a_caller_moves_the_cursor_or_begins_a_line() -> None:
    """Control characters are shown, not sent."""
    forged = {**RECORD, "target": "x\n14:00 allow\x1b[2J", "arguments": {"a": "\x1b]0;x\x07"}}
    text = summary(forged).plain
    assert text.isprintable()
    assert r"x 14:00 allow\u{1b}[2J" in text


def test_long_arguments_are_cut() -> None:
    """A line stays a line."""
    assert len(summary({**RECORD, "arguments": {"a": "x" * 1000}}).plain) < 300


def test_what_rules_in_shadow_would_have_done_is_told() -> None:
    """Whoever watches a server for a week looks for just that."""
    finding = {"effect": "deny", "reason": {"code": "no_permit", "message": "x"}, "rule": "r"}
    assert summary({**RECORD, "shadow": [finding]}).plain.endswith(" 2.5 ms shadow:deny:no_permit")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_broken_line_keeps_no_other_from_being_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """Half a record, half a letter, JSON that is no record: they are passed over."""
    whole = json.dumps(RECORD).encode()
    path = tmp_path / "state" / "decisions.jsonl"
    path.parent.mkdir()
    broken = [whole[:40], b"", b"\xc3", whole[40:], b"3", b"[]", b'"text"', b"[" * 100_000]
    path.write_bytes(b"\n".join([whole, *broken, whole, whole[:-9]]))
    config = tmp_path / "tipstaff.toml"
    config.write_text('state_dir = "state"\n[servers.files]\nurl = "http://127.0.0.1:9/mcp"\n')
    flags = ["--json"] if as_json else []
    assert main(["log", "--config", str(config), *flags]) == 0
    assert capsys.readouterr().out.count("denied_by_rule") == 2


def test_json_lines_are_the_records_with_nothing_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, of the same value."""
    (tmp_path / "tipstaff.toml").write_text("")
    (tmp_path / ".tipstaff").mkdir()
    hostile = {**RECORD, "target": "x\x9b2J\u202e\u2028\x7f", "arguments": {"ü": "\ud800"}}
    path = tmp_path / ".tipstaff" / "decisions.jsonl"
    path.write_text(json.dumps(hostile) + "\n")
    main(["log", "--json", "-c", str(tmp_path / "tipstaff.toml")])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert "ü" in line
    assert json.loads(line) == hostile
