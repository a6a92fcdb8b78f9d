"""Sets one member of a JSON text, or one section of a TOML text, and leaves every other byte alone. Pure.

Not an editor: a text that is not strict JSON (a comment, a comma too many, a key twice) is refused,
and so is TOML that says the section in another way than by its title. Each result is parsed again
and must say what the old text said, with that one thing changed: in doubt nothing comes out.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pdp.api import strict_json
from pdp.errors import ConfigError

Keys = Sequence[str]

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_INDENT = re.compile(r'\n([ \t]+)"')
_TITLE_LINE = re.compile(r"^[ \t]*\[[^\r\n]*", re.MULTILINE)


def json_data(text: str) -> dict[str, Any]:
    """The object that a strict JSON text holds, empty for an empty text; raises `ConfigError`."""
    if not text.strip():
        return {}
    try:
        data = strict_json.loads(text.encode(), strict_json.UNBOUNDED)
    except ValueError as error:
        raise ConfigError(f"not strict JSON, or with comments: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError("does not hold a JSON object")
    return data


def toml_data(text: str) -> dict[str, Any]:
    """What a TOML text holds; raises `ConfigError`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"not TOML: {error}") from error


def with_member(text: str, keys: Keys, value: Any) -> str:
    """JSON `text` with `value` at `keys`, objects on the way made where there are none.

    New lines are indented and ended as the text's own are. Raises `ConfigError` when the text is not
    strict JSON, or when something else than an object is in the way.
    """
    expected = _with(json_data(text), keys, value)
    new = _spliced(text, keys, value) if text.strip() else _spliced("{}\n", keys, value)
    return _checked(new, json_data(new), expected)


def with_section(text: str, keys: Keys, value: Mapping[str, str]) -> str:
    """TOML `text` with the section `keys` saying `value`, in its old place or else at the end.

    Sections below it are part of it, and go; comments behind its last key stay. Raises `ConfigError`
    when the text is not TOML, or says the section in another way (`a.b = {…}`, dotted keys).
    """
    expected = _with(toml_data(text), keys, value)
    new = _with_section(text, keys, section(keys, value, _line_end(text)))
    try:
        return _checked(new, toml_data(new), expected)
    except ConfigError as error:
        title = ".".join(keys)
        raise ConfigError(f"says {title} in another way than as a section [{title}]") from error


def section(keys: Keys, value: Mapping[str, str], line_end: str = "\n") -> str:
    """A TOML section. Keys must need no quotes."""
    # A JSON string is a TOML string, but for the one character that only TOML escapes.
    lines = (f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in value.items())
    whole = "".join(line + line_end for line in (f"[{'.'.join(keys)}]", *lines))
    return whole.replace("\x7f", "\\u007f")


def _with(data: dict[str, Any], keys: Keys, value: Any) -> dict[str, Any]:
    """A copy of `data` with `value` at `keys`."""
    whole = deepcopy(data)
    inner = whole
    for depth, key in enumerate(keys[:-1], start=1):
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(keys[:depth])} holds something else than named entries")
    inner[keys[-1]] = value
    return whole


def _checked(new: str, data: dict[str, Any], expected: dict[str, Any]) -> str:
    if data != expected:
        raise ConfigError("cannot be changed without changing something else")
    return new


def _spliced(text: str, keys: Keys, value: Any) -> str:
    """The JSON text with the value put in; what is on the way to it is known to be objects."""
    start = _skip(text, 0)
    for depth, key in enumerate(keys):
        members, close = _members(text, start)
        if key not in members:
            return _inserted(
                text, (start, close), list(members.values()), keys[depth:], value, depth
            )
        start, end = members[key]
    return text[:start] + _rendered(text, value, len(keys)) + text[end:]


def _inserted(
    text: str, brackets: tuple[int, int], members: list[tuple[int, int]], keys: Keys, value: Any,
    depth: int,
) -> str:  # fmt: skip
    """The text with a new last member in the object between `brackets`."""
    for key in reversed(keys[1:]):
        value = {key: value}
    start, close = brackets
    end, comma = (members[-1][1], ",") if members else (start + 1, "")
    name = json.dumps(keys[0], ensure_ascii=False)
    member = f"{comma}{_new_line(text, depth + 1)}{name}: {_rendered(text, value, depth + 1)}"
    # An object of one line gets its closing brace on a line of its own.
    tail = text[end:close] if "\n" in text[end:close] else _new_line(text, depth)
    return text[:end] + member + tail + text[close:]


def _rendered(text: str, value: Any, depth: int) -> str:
    lines = json.dumps(value, ensure_ascii=False, indent=_indent(text)).split("\n")
    return _new_line(text, depth).join(lines)


def _members(text: str, at: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Where the values of the object at `at` begin and end, and where its closing brace stands."""
    spans: dict[str, tuple[int, int]] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        spans[key] = (start, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans, at


def _skip(text: str, at: int) -> int:
    """The next place that is not white space."""
    blanks = _SPACE.match(text, at)
    return blanks.end() if blanks else at


def _indent(text: str) -> str:
    indent = _INDENT.search(text)
    return indent[1] if indent else "  "


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _new_line(text: str, depth: int) -> str:
    return _line_end(text) + _indent(text) * depth


def _with_section(text: str, keys: Keys, new: str) -> str:
    """The TOML text with `new` in place of the section, or behind everything else."""
    kept, last, is_placed = [], 0, False
    for start, end in _spans(text, keys):
        kept += [text[last:start], "" if is_placed else new]
        last, is_placed = end, True
    if is_placed:
        return "".join([*kept, text[last:]])
    line_end = _line_end(text)
    gap = line_end if text and not text.endswith("\n") else ""
    return text + gap + (line_end if text.strip() else "") + new


def _spans(text: str, keys: Keys) -> Iterator[tuple[int, int]]:
    """Where the section and those below it begin and end."""
    titles = list(_titles(text))
    ends = [*(start for start, _ in titles), len(text)][1:]
    for (start, title), end in zip(titles, ends, strict=True):
        if title[: len(keys)] == tuple(keys):
            yield start, start + len(_without_tail(text[start:end]))


def _titles(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Where each section begins, and the keys of its title."""
    last = 0
    for title_line in _TITLE_LINE.finditer(text):
        # A line that begins with a bracket may also stand in a list or a text of several lines,
        # and then what is before it is no whole TOML.
        if _is_whole(text[last : title_line.start()]) and _is_whole(title_line[0]):
            last = title_line.start()
            yield last, tuple(_only_keys(tomllib.loads(title_line[0])))


def _only_keys(data: Any) -> Iterator[str]:
    while data:
        if isinstance(data, list):
            (data,) = data
        else:
            ((key, data),) = data.items()
            yield key


def _without_tail(block: str) -> str:
    """The block without the blank lines and the comments behind its last key."""
    lines = block.splitlines(keepends=True)
    while len(lines) > 1 and lines[-1].strip()[:1] in ("", "#"):
        lines.pop()
    trimmed = "".join(lines)
    return trimmed if _is_whole(trimmed) else block


def _is_whole(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True
