"""`tipstaff log`: the records of decisions and of approvals, readable, and followed as they come."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from tipstaff.cli import console
from tipstaff.cli.configuration.config import load
from tipstaff.cli.errors import OptionError
from tipstaff.cli.operate import approval_line, log_line
from tipstaff.cli.operate.log_filter import Filter, Unmatched, parse_since

_PAUSE_SECONDS = 0.2
_SHOWN = 20

_Record = dict[str, Any]


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff log`."""
    record_filter, most = _filter(arguments), _most(arguments)
    path = Path(load(arguments.config).pdp.journal.path)
    if not path.exists():
        if not arguments.follow:
            return console.fail(f"there are no records yet: {path} does not exist")
        while not path.exists():
            time.sleep(_PAUSE_SECONDS)
    with path.open(encoding="utf-8", errors="replace") as file:
        unmatched = Unmatched(record_filter)
        recent = deque(_fitting(_noted(_records(file), unmatched), record_filter), maxlen=most)
        for record in recent:
            _show(record, arguments)
        if arguments.follow:
            for record in _fitting(_records(_followed(path, file)), record_filter):
                _show(record, arguments)
        elif not recent and most != 0:
            _tell_why(unmatched)
    return 0


def _filter(arguments: argparse.Namespace) -> Filter:
    """The filter that the options describe; raises `OptionError`."""
    since = parse_since(arguments.since, datetime.now(UTC)) if arguments.since else None
    return Filter(
        server=arguments.only_server or "",
        tool=arguments.tool or "",
        effect=arguments.effect or "",
        code=arguments.code or "",
        caller=arguments.caller or "",
        since=since,
    )


def _most(arguments: argparse.Namespace) -> int | None:
    """How many records to show of those that are there; whoever says since when wants all."""
    if arguments.n is None:
        return None if arguments.since else _SHOWN
    if arguments.n < 0:
        raise OptionError(f"-n {arguments.n}: how many is 0 or more")
    return int(arguments.n)


def _tell_why(unmatched: Unmatched) -> None:
    """Print on stderr why no record is shown."""
    reasons = list(unmatched.reasons()) or ["no record fits"]
    for reason in reasons:
        console.err.print(reason, markup=False)


def _show(record: _Record, arguments: argparse.Namespace) -> None:
    if arguments.json:
        console.print_json(record, indent=None)
        return
    try:
        width = console.columns()
        if record.get("type") == approval_line.TYPE:
            lines = [approval_line.line(record, width)]
            lines += approval_line.details(record) if arguments.verbose else ()
        else:
            lines = [log_line.line(record, width)]
            lines += (
                log_line.details(record) if arguments.verbose else log_line.cause(record, width)
            )
    except (LookupError, TypeError, AttributeError, ValueError):
        return  # no record
    for line in lines:
        console.out.print(line)


def _records(lines: Iterable[str]) -> Iterator[_Record]:
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the rest of a line that could not be written whole
        if isinstance(record, dict):
            yield record


def _noted(records: Iterable[_Record], unmatched: Unmatched) -> Iterator[_Record]:
    for record in records:
        unmatched.note(_as_decision(record))
        yield record


def _fitting(records: Iterable[_Record], record_filter: Filter) -> Iterator[_Record]:
    return (record for record in records if record_filter.fits(_as_decision(record)))


def _as_decision(record: _Record) -> _Record:
    """The record as it is chosen: one of an approval by what it has in common with decisions."""
    is_approval = record.get("type") == approval_line.TYPE
    return approval_line.as_decision(record) if is_approval else record


def _followed(path: Path, file: TextIO) -> Iterator[str]:
    """The lines after those of `file` that were read, also after the file was rotated."""
    partial = ""
    while True:
        partial += file.readline()
        if partial.endswith("\n"):
            yield partial
            partial = ""
        elif _rotated(path, file.fileno()):
            file = path.open(encoding="utf-8", errors="replace")
            partial = ""
        else:
            time.sleep(_PAUSE_SECONDS)


def _rotated(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
