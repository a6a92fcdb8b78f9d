"""Starter rules for a server whose rules a person has edited since. Pure.

The person's text stays as it is. Rules of tools that are new are put behind the last one; rules of tools
that have gone become comments, because rules for what is not there do not load. The result is read
again and must say what the old text said, with that changed: in doubt the old text comes back, and
the new rules beside it, to be pasted.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pdp.errors import PolicyTextError
from pdp.rules.yaml_lines import load
from tipstaff.survey.starter.edits import edited
from tipstaff.survey.starter.presets import Preset
from tipstaff.survey.starter.quoting import comment, key
from tipstaff.survey.starter.rules import Surveyed, approvals, blocks, ordered

_NEW = "New on the server when it was registered again."


class Merged(Struct, frozen=True):
    """What has become of the rules; names are tools'.

    Where the text could not be edited, `why` says what was in the way, and a person has to put
    `snippets` below `tools:` and to take out the rules of `standing`, tools that have gone.
    """

    text: str
    added: tuple[str, ...] = ()
    commented_out: tuple[str, ...] = ()
    snippets: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    why: str = ""


def merged(
    old_text: str,
    new_tools: Sequence[Surveyed],
    removed_tools: Collection[str],
    preset: Preset,
    server: str,
) -> Merged:
    """The rules of `server`, `old_text`, with those that the preset gives for `new_tools` put in.

    A tool that has a rule already keeps it. `removed_tools` have gone from the server.
    """
    added = [tool for tool in ordered(new_tools) if key(tool.name)]
    gone = sorted(removed_tools)
    try:
        old = _rules(old_text, server)
        added = [tool for tool in added if tool.name not in old.get("tools", {})]
        gone = [name for name in gone if name in old.get("tools", {})]
        if not (added or gone):
            return Merged(old_text)
        text = edited(old_text, lambda column: _new(added, old, preset, column), gone)
        _check(text, _expected(old, added, gone, preset), server)
    except PolicyTextError as error:
        snippets = tuple(blocks(added, preset))
        return Merged(old_text, snippets=snippets, standing=tuple(gone), why=str(error))
    return Merged(text, tuple(tool.name for tool in added), tuple(gone))


def diff(old: str, new: str) -> str:
    """What changes between two texts, as a unified diff; nothing when they are the same."""
    before, after = (text.removesuffix("\n").split("\n") for text in (old, new))
    return "\n".join(difflib.unified_diff(before, after, "before", "after", lineterm=""))


def _new(tools: Sequence[Surveyed], old: Mapping[str, Any], preset: Preset, column: int) -> str:
    if not tools:
        return ""
    is_enforced = old.get("shadow") is not True
    enforced = approvals(tools, preset) if is_enforced else ""
    notes = [comment(note, column) for note in (_NEW, enforced) if note]
    rules = blocks(tools, preset, column, is_enforced=is_enforced)
    return "\n".join(["\n".join(notes) + "\n", *rules])


def _rules(text: str, server: str) -> dict[str, Any]:
    """The rules as data; raises `PolicyTextError` when they have not the shape of rules."""
    source = f"servers/{server}/data.yaml"
    value = load(text, source).value
    rules = {} if value is None else value
    if not isinstance(rules, dict) or not isinstance(rules.get("tools", {}), dict):
        raise PolicyTextError(f"{source}: rules are a mapping, and so are `tools` in it")
    return rules


def _check(text: str, expected: Mapping[str, Any], server: str) -> None:
    try:
        rules = _rules(text, server)
    except PolicyTextError:
        rules = None
    if rules != expected:
        raise PolicyTextError("the rules are written in a way that cannot be edited")


def _expected(
    old: Mapping[str, Any], added: Iterable[Surveyed], gone: Collection[str], preset: Preset
) -> dict[str, Any]:
    new = load("".join(blocks(added, preset, 0)), "new rules").value or {}
    kept = {name: rule for name, rule in old.get("tools", {}).items() if name not in gone}
    return {**old, "tools": kept | new} if new or "tools" in old else dict(old)
