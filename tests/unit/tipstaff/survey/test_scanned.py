"""What a scan has found, as data."""

from __future__ import annotations

import pytest

from tipstaff.survey.asking.listing import listing_of
from tipstaff.survey.report import report
from tipstaff.survey.scanned import BEHIND_TIPSTAFF, SWITCHED_OFF, Known, Missed, Scan, scan_as_json

ANN = Known("claude-code", "/home/ann/.claude.json", "files")
CURSOR = Known("cursor", "/home/ann/.cursor/mcp.json", "My files")


def test_a_server_that_failed_is_told_for_each_who_knows_it() -> None:
    """Who reads it wants to mend a file."""
    scan = Scan(failed=(Missed((ANN, CURSOR), "https://x", "refused"),))
    rows = scan_as_json(scan)["failed"]
    assert [(row["client"], row["file"], row["name"], row["error"]) for row in rows] == [
        (ANN.client, ANN.file, ANN.name, "refused"),
        (CURSOR.client, CURSOR.file, CURSOR.name, "refused"),
    ]


def test_a_server_is_told_once_with_all_who_know_it() -> None:
    """Beside what its own report says."""
    one = report("files", "https://x", listing_of([{"name": "list_files"}]))
    data = scan_as_json(Scan((one,), {"files": (ANN, CURSOR)}))
    (server,) = data["servers"]
    assert server["server"] == "files"
    assert [tool["name"] for tool in server["tools"]] == ["list_files"]
    assert [who["name"] for who in server["known"]] == ["files", "My files"]
    assert data["failed"] == data["skipped"] == []


def test_what_was_skipped_has_its_reason() -> None:
    """Not an error: nobody has tried."""
    (row,) = scan_as_json(Scan(skipped=(Missed((ANN,), "npx x", "you said no"),)))["skipped"]
    assert row["reason"] == "you said no"
    assert "error" not in row


@pytest.mark.parametrize(
    ("scan", "is_complete"),
    [
        (Scan(), True),
        (
            Scan(skipped=(Missed((ANN,), "", BEHIND_TIPSTAFF), Missed((ANN,), "", SWITCHED_OFF))),
            True,
        ),
        (Scan(skipped=(Missed((ANN,), "", "you said no"),)), False),
        (Scan(failed=(Missed((ANN,), "", BEHIND_TIPSTAFF),)), False),
    ],
)
def test_a_scan_is_complete_when_nothing_is_used_unseen(scan: Scan, is_complete: bool) -> None:
    """What is behind Tipstaff or switched off is not."""
    assert scan.is_complete is is_complete
