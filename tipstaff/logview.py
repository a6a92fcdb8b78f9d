"""`tipstaff log`: the records of decisions, readable, and followed as they come."""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text

from tipstaff import console
from tipstaff.config import load
from tipstaff.survey.glyphs import visible

_PAUSE_SECONDS = 0.2


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff log`."""
    path = Path(load(arguments.config).pdp.journal.path)
    if not path.exists() and not arguments.follow:
        return console.fail(f"there are no records yet: {path} does not exist")
    recent = deque(_matching(_lines(path), arguments), maxlen=max(arguments.n, 0))
    for record in recent:
        _show(record, arguments)
    if arguments.follow:
        for record in _matching(_following(path), arguments):
            _show(record, arguments)
    return 0


def summary(record: dict[str, Any]) -> Text:
    """One record as one line for people; control characters are made visible."""
    effect = record["effect"]
    style = console.EFFECT_STYLE.get(effect, "white")
    session = record["session"]
    return Text.assemble(
        (record["timestamp"][11:23] + " ", "dim"),
        (f"{effect:5} ", f"bold {style}"),
        (f"{record['reason']['code']:20} ", style),
        (visible(f"{record['server']} {record['method']} {record['target']} "), "bold"),
        visible(json.dumps(record.get("arguments"), ensure_ascii=False)[:120] + " "),
        (visible(f"{session['kind']}:{session['id'][:12]} {record['rule']} "), "dim"),
        (f"{record['timings']['total_us'] / 1000:.1f} ms", "dim"),
        *((visible(f" shadow:{_said(one)}"), "magenta") for one in record.get("shadow", ())),
    )


def _said(finding: dict[str, Any]) -> str:
    """What a rule in shadow would have done."""
    return f"{finding['effect']}:{finding['reason']['code']}"


def _show(record: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.json:
        console.print_json(record, indent=None)
        return
    try:
        line = summary(record)
    except (LookupError, TypeError, AttributeError):
        return  # no record of a decision
    console.out.print(line)


def _matching(lines: Iterator[str], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # the rest of a line that could not be written whole
        if not isinstance(record, dict):
            continue
        if arguments.effect and record.get("effect") != arguments.effect:
            continue
        if arguments.only_server and record.get("server") != arguments.only_server:
            continue
        yield record


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


def _following(path: Path) -> Iterator[str]:
    """Lines written from now on, also after the file was rotated."""
    while not path.exists():
        time.sleep(_PAUSE_SECONDS)
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, 2)
    partial = ""
    while True:
        partial += file.readline()
        if partial.endswith("\n"):
            yield partial
            partial = ""
        elif _rotated(path, file.fileno()):
            file.close()
            file = path.open(encoding="utf-8", errors="replace")
        else:
            time.sleep(_PAUSE_SECONDS)


def _rotated(path: Path, descriptor: int) -> bool:
    import os

    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
