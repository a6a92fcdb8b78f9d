"""Log lines in a flood: the first of a kind, and how many there were besides."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from tipstaff.cli.run.bounded_lines import BoundedLines


class Log:
    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[dict[str, Any]] = []
        self._bound = BoundedLines(lambda: self.now)

    def __call__(self, event: str, **more: Any) -> None:
        try:
            self.lines.append(dict(self._bound(None, "info", {"event": event, **more})))
        except structlog.DropEvent:
            return


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_flood_of_one_kind_is_bounded_and_hides_no_other(log: Log) -> None:
    """What tells two lines apart otherwise, as the path that was asked for, makes no kind."""
    for number in range(10_000):
        log("refused", server="files", code="credential_missing", reason=str(number))
        log("refused", code="path_not_found", path=f"/{number}")
    log("policy active", revision="r")
    assert len(log.lines) == 121
    assert log.lines[-1] == {"event": "policy active", "revision": "r"}


def test_the_next_line_after_the_minute_says_how_many_there_were(log: Log) -> None:
    """Whatever it is about; once."""
    for _ in range(100):
        log("refused", server="files", code="credential_missing")
    log.now = 60
    log("client gone", server="files")
    log("refused", server="files", code="credential_missing")
    assert log.lines[-2]["not_logged"] == {"refused files credential_missing": 40}
    assert "not_logged" not in log.lines[-1]


def test_many_kinds_are_bounded_in_all(log: Log) -> None:
    """Also where something that a caller chooses had become part of a kind."""
    for number in range(10_000):
        log(f"event {number}")
    assert len(log.lines) == 600
    log.now = 60
    log("refused")
    assert sum(log.lines[-1]["not_logged"].values()) == 9400
    assert len(log.lines[-1]["not_logged"]) <= 17
