"""The tools of a rule file, edited in its text: rules put behind the last, others commented out. Pure.

Nothing of the text is taken away but the braces of an empty `tools: {}`; everything else is put in
between. It does not prove that the result says what it should: who calls it reads the result again
(`merge`). Text that is written in another way than line by line is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import yaml
from msgspec import Struct

from pdp.errors import PolicyTextError
from tipstaff.survey.starter.quoting import comment

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_COLON = re.compile(r"[ \t]*:")
_GONE = "No longer on the server when it was registered again; its rule was:"

NewRules = Callable[[int], str]
"""Rules that begin so many columns in: whole lines, or nothing at all."""


class _Edit(Struct, frozen=True):
    """`new` takes the place of `text[start:end]`."""

    start: int
    end: int
    new: str


def edited(text: str, new: NewRules, gone: Collection[str]) -> str:
    """`text` with the rules `new`, and with those of the tools `gone` as comments; one of both is there.

    Raises `PolicyTextError` for text that cannot be edited.
    """
    try:
        # Of the two loaders this one counts marks in characters, a byte order mark included.
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyTextError(f"not YAML: {error}") from error
    if root and root.flow_style:
        raise PolicyTextError("the rules are written in braces, not line by line")
    tools = next((pair for pair in root.value if pair[0].value == "tools"), None) if root else None
    if tools is None:
        column = root.start_mark.column if root else 0
        lines = f"{' ' * column}tools:\n{new(column + 2)}"
        return _applied(text, [_put(text, len(text), lines)])
    name, rules = tools
    colon = _COLON.match(text, name.end_mark.index)
    if colon is None or (rules.value and rules.flow_style):
        raise PolicyTextError("the tools are written in braces, not line by line")
    if not rules.value:
        return _applied(text, _filled(text, colon.end(), rules, new(name.start_mark.column + 2)))
    edits = [*_commented(text, rules, gone), *_appended(text, rules, new)]
    if not new(0) and len(gone) == len(rules.value):
        edits.append(_Edit(colon.end(), colon.end(), " {}"))
    return _applied(text, edits)


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    """All edits at once; their lines end as the text's do."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    pieces, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += [text[at : edit.start], edit.new.replace("\n", line_end)]
        at = edit.end
    return "".join([*pieces, text[at:]])


def _filled(text: str, colon: int, braces: Any, rules: str) -> list[_Edit]:
    """Rules for a `tools:` of nothing."""
    end = max(colon, braces.end_mark.index)
    if _LINE_END.search(text, colon, end):
        raise PolicyTextError("there are lines in the braces of the tools")
    return [_Edit(colon, end, ""), _put(text, _line_end(text, end), rules, "")]


def _appended(text: str, mapping: Any, new: NewRules) -> Iterator[_Edit]:
    rules = new(mapping.start_mark.column)
    if rules:
        last = mapping.value[-1][1]
        # An empty line would become part of a text that is written in lines of its own.
        yield _put(text, _end(text, last), rules, "" if _is_block(_leaf(last)) else "\n")


def _put(text: str, at: int, lines: str, before: str = "\n") -> _Edit:
    """Whole lines at the beginning of a line, or behind a last one that does not end."""
    if at and not _LINE_END.match(text, at - 1):
        before = f"\n{before}"
    behind = text[at:]
    after = "" if not behind or _LINE_END.match(behind) else "\n"
    return _Edit(at, at, f"{before if at else ''}{lines}{after}")


def _commented(text: str, mapping: Any, gone: Collection[str]) -> Iterator[_Edit]:
    column = mapping.start_mark.column
    for name, rule in mapping.value:
        if name.value not in gone:
            continue
        at = name.start_mark.index - name.start_mark.column
        yield _Edit(at, at, comment(_GONE, column) + "\n")
        for line in text[at : _end(text, rule)].splitlines(keepends=True):
            if line.strip():
                start = at + min(column, len(line) - len(line.lstrip(" ")))
                yield _Edit(start, start, "# ")
            at += len(line)


def _end(text: str, node: Any) -> int:
    """Where the line begins that is behind the last one of a value."""
    leaf = _leaf(node)
    end: int = leaf.end_mark.index
    return end if _is_block(leaf) else _line_end(text, end)


def _line_end(text: str, at: int) -> int:
    line_end = _LINE_END.search(text, at)
    return line_end.end() if line_end else len(text)


def _leaf(node: Any) -> Any:
    """The last part of a value that knows its end: a mapping by lines has that of what follows it."""
    while not isinstance(node, yaml.ScalarNode) and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def _is_block(leaf: Any) -> bool:
    return isinstance(leaf, yaml.ScalarNode) and leaf.style in {"|", ">"}
