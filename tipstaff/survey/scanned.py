"""What a scan of several servers has found: reports, what failed, what was passed over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from tipstaff.survey.report import Report, as_json

BEHIND_TIPSTAFF = "already behind Tipstaff"
SWITCHED_OFF = "it is switched off there"


class Known(Struct, frozen=True):
    """Who knows a server: a client's file, and the name that it has there."""

    client: str
    file: str
    name: str
    project: str = ""
    """The folder it is known in, where the file tells folders apart."""


class Missed(Struct, frozen=True):
    """A server, or a whole file, of which there is no report; `reason` says why."""

    known: tuple[Known, ...]
    source: str
    """Where the server is, without secrets; empty for a file."""
    reason: str


class Scan(Struct, frozen=True):
    """All that a scan has found."""

    reports: tuple[Report, ...] = ()
    known: Mapping[str, tuple[Known, ...]] = field(default_factory=dict)
    """Who knows the server of a report, by its name there."""
    failed: tuple[Missed, ...] = ()
    """What was tried in vain."""
    skipped: tuple[Missed, ...] = ()
    """What was not tried."""

    @property
    def is_complete(self) -> bool:
        """Whether every server was looked at that agents use without Tipstaff."""
        return not self.failed and all(
            missed.reason in {BEHIND_TIPSTAFF, SWITCHED_OFF} for missed in self.skipped
        )


def scan_as_json(scan: Scan) -> dict[str, Any]:
    """The scan as plain data. A server that several clients know and that failed is told for each."""
    return {
        "servers": [
            {
                **as_json(server_report),
                "known": msgspec.to_builtins(scan.known.get(server_report.server, ())),
            }
            for server_report in scan.reports
        ],
        "failed": [row for missed in scan.failed for row in _rows(missed, "error")],
        "skipped": [row for missed in scan.skipped for row in _rows(missed, "reason")],
    }


def _rows(missed: Missed, why: str) -> list[dict[str, Any]]:
    return [
        {**msgspec.to_builtins(who), "source": missed.source, why: missed.reason}
        for who in missed.known
    ]
