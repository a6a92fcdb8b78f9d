"""Finds what a pattern lets through against its author's intent: missing anchors, paths that lead out. Pure.

A pattern of JSON Schema is searched for: without `^` and `$` it holds as soon as it stands anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pdp.rules.checks import SchemaError, compile_schema

_WAYS_OUT = ("/../etc/passwd", "/x/../../etc/passwd")
_META = frozenset("\\^$.|?*+()[]{}")


def loose_end(pattern: str) -> str:
    """The anchor that the pattern, or one of its alternatives, lacks: `^`, `$`, or nothing."""
    for branch in _branches(pattern):
        if branch.startswith("(") and _closes(branch) == len(branch) - 1:
            inner = branch[1:-1]
            lacking = loose_end(inner.removeprefix("?:"))
            if lacking:
                return lacking
            continue
        if not branch.startswith("^"):
            return "^"
        if not branch.endswith("$") or _is_escaped(branch, len(branch) - 1):
            return "$"
    return ""


def way_out(schema: dict[str, Any]) -> str:
    """A path that leads out of the folder that the pattern of `schema` begins with, and meets it all."""
    start = _literal_start(str(schema.get("pattern", "")))
    if "/" not in start or "//" in start:
        return ""
    try:
        validator = compile_schema(schema)
    except SchemaError:
        return ""
    paths = (start.rstrip("/") + way for way in _WAYS_OUT)
    return next((path for path in paths if validator.is_valid(path)), "")


def _literal_start(pattern: str) -> str:
    text = pattern.removeprefix("^").replace("\\/", "/")
    end = next((index for index, letter in enumerate(text) if letter in _META), len(text))
    return text[:end]


def _branches(pattern: str) -> Iterator[str]:
    """The alternatives of the outermost level."""
    start = 0
    for index, letter in _outside(pattern):
        if letter == "|":
            yield pattern[start:index]
            start = index + 1
    yield pattern[start:]


def _closes(branch: str) -> int:
    """Where the group ends that `branch` begins with."""
    return next((index for index, letter in _outside(branch) if letter == ")"), -1)


def _outside(pattern: str) -> Iterator[tuple[int, str]]:
    """The letters outside of groups and classes, and the end of each group."""
    depth, in_class, index = 0, False, 0
    while index < len(pattern):
        letter = pattern[index]
        if letter == "\\":
            index += 2
            continue
        if in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class = True
        else:
            depth += (letter == "(") - (letter == ")")
            if depth == 0:
                yield index, letter
        index += 1


def _is_escaped(text: str, index: int) -> bool:
    before = text[:index]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
