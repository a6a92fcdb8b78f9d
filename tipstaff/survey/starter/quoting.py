"""Text of a stranger, written so that it can do nothing in YAML, Rego or a terminal. Pure.

Names and descriptions come from the server and may be made to break out of where they are written: a
line break in a comment, a `: ` in a key. So a comment holds visible text alone (`visible_text`), and a name
that is not plain letters is quoted. It decides nothing about the text: `signs` judge what it says.
"""

from __future__ import annotations

import re
import textwrap

import yaml

from pdp.api.names import own_form
from pep.mcp.admit import TOOL_NAME

WIDTH = 100
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
# What one of the YAML readers takes for a flag, or for nothing, when it stands unquoted.
_WORDS = frozenset("y n yes no on off true false null".split())
# YAML reads a key of at most 1024 characters, and a limit's name holds 512.
_LONGEST_KEY = 400


def key(name: str) -> str | None:
    """`name` as a key in YAML, plain where that is safe; `None` when no key can say it.

    Quoted it is ASCII: a letter that looks like another, or like none, is seen as its number.
    """
    if _PLAIN_KEY.fullmatch(name) and name.lower() not in _WORDS:
        return name
    if not name or any("\ud800" <= letter <= "\udfff" for letter in name):
        return None
    if own_form(name) != name:  # a call of it is refused before any rule is asked
        return None
    quoted = str(yaml.safe_dump(name, default_style='"', width=float("inf"))).rstrip("\n")
    return quoted if len(quoted) <= _LONGEST_KEY else None


def strict(name: str) -> bool:
    """Whether MCP's grammar knows such a tool name."""
    return TOOL_NAME.fullmatch(name) is not None


def comment(text: str, indent: int = 0) -> str:
    """`text`, which is `visible`, as comment lines that end at column 100, without a last line end."""
    start = f"{' ' * indent}# "
    lines = textwrap.wrap(text, WIDTH - len(start), break_on_hyphens=False)
    return "\n".join(start + line for line in lines)
