"""`tipstaff log`: which records it shows, and what it says of options that fit none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tipstaff.__main__ import main
from tipstaff.cli import console

RECORD: dict[str, Any] = {
    "timestamp": "2026-09-21T14:13:20.123456Z",
    "effect": "deny",
    "reason": {"code": "denied_by_rule", "message": "No."},
    "server": "files",
    "method": "tools/call",
    "target": "read",
    "arguments": {"path": "/x"},
    "principal": {"id": "jwt:alice", "kind": "jwt"},
    "session": {"id": "a" * 40, "kind": "legacy"},
    "rule": "servers.files.tools.read",
    "timings": {"policy_us": 1, "total_us": 2500},
}


def log(
    folder: Path, capsys: pytest.CaptureFixture[str], *flags: str, records: Any = (RECORD,)
) -> tuple[int, str, str]:
    """Exit code, output and errors of the command over a journal of `records`."""
    (folder / "tipstaff.toml").write_text("")
    (folder / ".tipstaff").mkdir(exist_ok=True)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / ".tipstaff" / "decisions.jsonl").write_text(lines)
    code = main(["log", "-c", str(folder / "tipstaff.toml"), *flags])
    output = capsys.readouterr()
    return code, output.out, output.err


OTHER = {
    **RECORD,
    "timestamp": "2026-09-21T15:00:00Z",
    "effect": "allow",
    "reason": {"code": "allowed", "message": ""},
    "server": "bank",
    "target": "pay",
    "principal": {"id": "token:ci", "kind": "token"},
}


@pytest.mark.parametrize(
    "flags",
    [
        ("--server", "bank"),
        ("--tool", "p*"),
        ("--effect", "allow"),
        ("--code", "allowed"),
        ("--caller", "token:ci"),
        ("--since", "2026-09-21T14:30"),
        ("--since", "2026-09-21T16:30+02:00"),
        ("--caller", "token:*", "--since", "2026-09-21", "--tool", "pay"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_each_filter_keeps_what_fits_alone_and_together_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], *, as_json: bool
) -> None:
    """Of two records the one that is meant."""
    more = ("--json",) if as_json else ()
    code, out, _ = log(tmp_path, capsys, *flags, *more, records=(RECORD, OTHER))
    assert (code, len(out.splitlines())) == (0, 1)
    assert "token:ci" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--since", "yesterday"), "--since yesterday: neither an age (30s, 10m, 2h, 7d)"),
        (("--since", "9999-01-01"), "lies in the future; times are UTC"),
        (("--since", "99999999d"), "--since 99999999d"),
        (("--since", "999999d"), "--since 999999d"),
        (("-n", "-1"), "-n -1: how many is 0 or more"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_and_what_can_be_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], message: str
) -> None:
    """Exit code 2, and no record."""
    code, out, err = log(tmp_path, capsys, *flags)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--tool", "raed"), "no record has the tool raed; did you mean `read`?"),
        (
            ("--caller", "jwt:alcie"),
            "no record has the caller jwt:alcie; did you mean `jwt:alice`?",
        ),
        (("--server", "x"), "no record has the server x; known are: files"),
        (("--since", "1s"), "no record fits"),
    ],
)
def test_when_nothing_fits_the_nearest_name_on_record_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], message: str
) -> None:
    """Beside the output, so that a program reads nothing."""
    assert log(tmp_path, capsys, *flags) == (0, "", message + "\n")


def test_twenty_are_shown_and_all_of_a_time_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless another number is asked for."""
    records = [RECORD] * 30
    for flags, count in (((), 20), (("--since", "2026-09-01"), 30), (("-n", "3"), 3)):
        assert len(log(tmp_path, capsys, *flags, records=records)[1].splitlines()) == count


@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_record_is_one_line_of_the_terminals_width(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    """However long it is; through a pipe it is whole."""
    long = {**RECORD, "arguments": {"text": "x" * 500}}
    whole = log(tmp_path, capsys, records=[long])[1]
    assert "x" * 500 in whole
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(console, "out", console._SafeConsole(highlight=False, soft_wrap=True))
    (line,) = log(tmp_path, capsys, records=[long])[1].splitlines()
    assert len(line) == int(columns)


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


APPROVAL: dict[str, Any] = {
    "type": "tipstaff.approval",
    "approval_id": "a-1",
    "timestamp": "2026-09-21T14:20:00Z",
    "labels": {},
    "state": "refused",
    "digest": "sha256:ab",
    "decision_id": "d-1",
    "server": "files",
    "method": "tools/call",
    "target": "read",
    "principal": "jwt:alice",
    "by": "bo",
    "proven_by": "console",
    "answer": "no",
    "note": "Not now.",
}


@pytest.mark.parametrize(
    ("flags", "is_shown"),
    [
        ((), True),
        (("--server", "files", "--tool", "r*", "--caller", "jwt:*"), True),
        (("--caller", "jwt:bob"), False),
        (("--effect", "deny"), False),
        (("--code", "denied_by_rule"), False),
        (("--since", "2026-09-21T14:15"), True),
        (("--since", "2026-09-21T14:30"), False),
    ],
)
def test_changes_of_approvals_stand_between_the_decisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], *, is_shown: bool
) -> None:
    """Unless what is asked for only decisions have."""
    records = (RECORD, APPROVAL, RECORD)
    shown = log(tmp_path, capsys, *flags, records=records)[1]
    assert ("approval refused" in shown and "no by bo: Not now." in shown) is is_shown
    plain = [
        json.loads(line)
        for line in log(tmp_path, capsys, *flags, "--json", records=records)[1].splitlines()
    ]
    assert (APPROVAL in plain) is is_shown


def test_the_rest_of_an_approval_is_shown_on_demand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a caller that only asked is a known name, too."""
    shown = log(tmp_path, capsys, "-v", records=[APPROVAL])[1]
    assert "proven by console" in shown
    errors = log(tmp_path, capsys, "--caller", "jwt:alcie", records=[APPROVAL])[2]
    assert "did you mean `jwt:alice`?" in errors
