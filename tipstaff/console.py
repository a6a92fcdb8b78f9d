"""What the command line prints: for people in colour, for programs as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from tipstaff.logs import without_secrets

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
    err.print(without_secrets(message), markup=False)
    return 2
