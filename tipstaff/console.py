"""What the command line prints: for people in colour, for programs as JSON; logs on stderr."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import structlog
from rich.console import Console
from rich.text import Text

from tipstaff.bounded_lines import BoundedLines

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

EFFECT_STYLE = {"allow": "green", "deny": "red", "hold": "yellow"}


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def tell(word: str, text: str, style: str = "") -> None:
    """A line that begins with a coloured word; `text` is shown as it is."""
    out.print(Text.assemble((f"{word:9}", style), text))


def print_diff(text: str) -> None:
    """A unified diff, indented; its lines are shown as they are."""
    for line in text.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        out.print(Text(f"  {line}", style))


def fail(message: str) -> int:
    """Say what is wrong, and give the exit code for bad input."""
    err.print("[bold red]error[/]:", end=" ")
    err.print(message, markup=False)
    return 2


def configure_logs(*, verbose: bool = False) -> None:
    """Operational logs: readable on a terminal, one JSON line each elsewhere."""
    people = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if people
        else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    structlog.configure(
        processors=[
            BoundedLines(time.monotonic),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if people else [structlog.processors.dict_tracebacks]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
