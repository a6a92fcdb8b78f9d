"""What the command line prints: for people in colour, for programs as JSON.

Much of it are texts of strangers: names, arguments, errors. Whatever is printed here shows control
characters and those that nobody sees instead of obeying them, so that no text moves the cursor, forges
a line or reads in another order than it is. Markup is read in our own texts alone: a text of somebody
else is printed with `markup=False`, or as a `Text`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from tipstaff.cli.known_secrets import without_secrets
from tipstaff.common.visible_text import is_hidden, visible, visible_lines

_FIELD = 12
_UNCUT = 1000
_UNSEEN = re.compile(r"[^\n -~]")


class _SafeConsole(Console):
    """A console on which every text is visible, however it came there."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible_lines(segment.text))


out = _SafeConsole(highlight=False, soft_wrap=True)
err = _SafeConsole(stderr=True, highlight=False, soft_wrap=True)

EFFECT_STYLE = {"allow": "green", "deny": "red", "hold": "yellow"}


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON in which what cannot be seen is escaped: the same value, and nothing a terminal obeys."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSEEN.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1] if is_hidden(character[0]) else character[0]


def print_json(value: Any, indent: int | None = 2) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(as_json(value, indent) + "\n")
    sys.stdout.flush()


def tell(word: str, text: str, style: str = "") -> None:
    """A line that begins with a coloured word; `text` is shown as it is."""
    out.print(Text.assemble((f"{word:9}", style), text))


def print_diff(text: str) -> None:
    """A unified diff, indented; its lines are shown as they are."""
    for line in text.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
        out.print(Text(f"  {line}", style))


def note(message: str) -> None:
    """Say what is worth a look, though nothing is wrong."""
    err.print(Text.assemble(("note", "yellow"), f" {_folded(message, len('note '))}"))


def fail(message: str) -> int:
    """Say what is wrong, and give the exit code for bad input."""
    _say("error", "bold red", message)
    return 2


def warn(message: str) -> None:
    """Say what may be wrong, though the work goes on."""
    _say("warning", "bold yellow", message)


def _say(word: str, style: str, message: str) -> None:
    err.print(Text(f"{word}:", style), end=" ")
    err.print(_folded(without_secrets(message), len(f"{word}: ")), markup=False)


def _folded(message: str, start: int) -> str:
    """The message, which begins at column `start`, folded at blanks where a terminal would break words."""
    room = columns(err)
    if room is None:
        return message
    first, *rest = ("-" * start + message).splitlines()  # stands for what is there already
    lines = (
        textwrap.fill(
            line, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        for line in (first, *rest)
    )
    return "\n".join(lines)[start:]


def columns(console: Console | None = None) -> int | None:
    """The columns of the terminal. Whoever reads through a pipe wants lines whole: `None`."""
    console = out if console is None else console
    return console.width if console.is_terminal or "COLUMNS" in os.environ else None


def print_table(table: Table) -> None:
    """A table as wide as the terminal; through a pipe every row is one line."""
    target = out if columns() else _SafeConsole(file=out.file, width=_UNCUT, highlight=False)
    target.print(table)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Texts by their names, each below its own first line; they are shown as they are."""
    room = columns()
    for name, value in fields:
        text = visible(value)
        lines = textwrap.wrap(text, max(room - _FIELD, 20)) if room else [text]
        for number, line in enumerate(lines or [""]):
            out.print(Text.assemble((f"  {'' if number else name:{_FIELD - 2}}", "dim"), line))
