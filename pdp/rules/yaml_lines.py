"""YAML read into plain values that remember their lines. Does no I/O.

Refused, because two readers could take them differently or a person could miss them: duplicate keys,
anchors and aliases, tags, keys that are not text, several documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct
from yaml.constructor import SafeConstructor

from pdp.errors import PolicyTextError

Path = tuple[str | int, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The parser's time grows with the square of the depth.
_DEEPEST = 100
_PLAIN = (str, int, float, bool, type(None))


class Located(Struct, frozen=True):
    """A value, and the line (from 1) at which each of its parts stands."""

    source: str
    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest part around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def load(text: str, source: str) -> Located:
    """Read `text`; raises `PolicyTextError`, which names `source` and the line."""
    lines: dict[Path, int] = {}
    try:
        _refuse_traps(text, source)
        node = yaml.compose(text, Loader=_Loader)
        value = None if node is None else _value(node, (), lines, source)
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark
        line = mark.line + 1 if mark else 1
        problem = _plainly(error.problem or "")
        raise PolicyTextError(f"{source}:{line}: not YAML: {problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyTextError(f"{source}: not YAML: {error}") from error
    return Located(source, value, lines)


def _plainly(problem: str) -> str:
    """The parser's message, in plainer words for common faults."""
    if "cannot start any token" in problem:
        return f"{problem}; indent by blanks, not by tabs, and put quotes around @, ` and %"
    return problem


def name_of(path: Path) -> str:
    """A path as people write it: `tools.read.rate_limit.0.max`."""
    return ".".join(str(part) for part in path)


def _refuse_traps(text: str, source: str) -> None:
    """Refuse aliases, and depths that take the parser minutes."""
    event: Any
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None):
            raise PolicyTextError(
                f"{source}:{line}: anchors and aliases are not read; write the value out"
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise PolicyTextError(f"{source}:{line}: nested more than {_DEEPEST} levels deep")


def _value(node: Any, path: Path, lines: dict[Path, int], source: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return dict(_members(node, path, lines, source))
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(child, (*path, index), lines, source) for index, child in enumerate(node.value)
        ]
    return _scalar(node, source)


def _members(
    node: Any, path: Path, lines: dict[Path, int], source: str
) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _scalar(key_node, source) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise PolicyTextError(f"{source}:{line}: a key must be text: put it in quotes")
        if key in seen:
            raise PolicyTextError(f"{source}:{line}: {name_of((*path, key))} is given twice")
        seen.add(key)
        lines[*path, key] = line
        yield key, _value(value_node, (*path, key), lines, source)


def _scalar(node: Any, source: str) -> Any:
    line = node.start_mark.line + 1
    if not node.tag.startswith("tag:yaml.org,2002:"):
        raise PolicyTextError(f"{source}:{line}: tags are not read")
    try:
        value = SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise PolicyTextError(f"{source}:{line}: {node.value!r} cannot be read") from error
    if not isinstance(value, _PLAIN) or value != value or value in (float("inf"), -float("inf")):  # noqa: PLR0124 - NaN
        raise PolicyTextError(
            f"{source}:{line}: {node.value!r} is no text, number or flag: quote it"
        )
    return value
