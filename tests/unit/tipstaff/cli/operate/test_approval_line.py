"""A change of an approval as a line of the log."""

from __future__ import annotations

from typing import Any

import pytest

from tipstaff.cli.operate import approval_line
from tipstaff.cli.operate.log_filter import Filter

RECORD: dict[str, Any] = {
    "type": "tipstaff.approval",
    "timestamp": "2026-11-27T10:00:00.000000Z",
    "state": "granted",
    "principal": "token:agent",
    "server": "bank",
    "target": "pay",
    "approval_id": "a-1",
    "answer": "yes",
    "by": "ana",
    "note": "fine\u202e",
    "self_confirmed": True,
}


def test_it_tells_who_answered_and_what() -> None:
    """With the note, in which nothing hides."""
    line = approval_line.line(RECORD).plain
    assert line.startswith("2026-11-27 10:00:00Z approval granted")
    assert (
        "token:agent         bank pay yes by ana, whose own agent it is: fine\\u{202e} a-1" in line
    )


def test_a_change_by_nobody_names_nobody() -> None:
    """An approval that expires, for example."""
    assert " by " not in approval_line.line({**RECORD, "answer": ""}).plain


def test_it_fits_the_terminal() -> None:
    """What is cut is what matters least."""
    assert approval_line.line(RECORD, 60).cell_len == 60


@pytest.mark.parametrize("missing", ["timestamp", "state", "principal", "server", "approval_id"])
def test_what_is_no_record_is_told_by_an_error(missing: str) -> None:
    """The log then shows nothing of it."""
    with pytest.raises(LookupError):
        approval_line.line({name: value for name, value in RECORD.items() if name != missing})


def test_it_is_chosen_by_what_it_has_in_common_with_decisions() -> None:
    """Server, tool and caller; an effect it has not."""
    record = approval_line.as_decision(RECORD)
    assert Filter(server="bank", tool="pay", caller="token:*").fits(record)
    assert not Filter(effect="allow").fits(record)
    assert not Filter(caller="jwt:*").fits(record)


def test_what_the_line_has_no_room_for_stands_below_it() -> None:
    """Each by its name, and nothing that is not there."""
    record = {
        **RECORD,
        "proven_by": "oidc",
        "human": "bo",
        "rules": ["servers.bank.tools.pay", "site.hours"],
        "standing_until": "2026-11-27T11:00:00Z",
        "digest": "sha256:ab",
        "decision_id": "d-1",
    }
    shown = [line.plain.split(maxsplit=1) for line in approval_line.details(record)]
    assert shown == [
        ["approval", "a-1"],
        ["answer", "yes by ana, proven by oidc"],
        ["note", "fine\\u{202e}"],
        ["for", "bo"],
        ["rule", "servers.bank.tools.pay"],
        ["rule", "site.hours"],
        ["stands", "until 2026-11-27T11:00:00Z"],
        ["decision", "d-1"],
        ["digest", "sha256:ab"],
    ]
    assert len(list(approval_line.details({"approval_id": "a-1"}))) == 1
