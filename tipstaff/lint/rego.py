"""Finds Rego rules that can never fire, because they compare with values that do not occur. Pure.

Read from the syntax tree that OPA gives, rule by rule. A rule that names its server or tool is held
against that one; another against all. Where something is not known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from pdp.api.methods import METHODS
from pdp.api.model import Direction, Phase, Reference
from pdp.rules.checks import SchemaError, compile_schema
from pdp.rules.server_rules import CATEGORIES
from tipstaff.common.did_you_mean import nearest
from tipstaff.lint.caution import Caution
from tipstaff.lint.site_facts import SiteFacts
from tipstaff.lint.syntax import Names, Node, Scope, calls, constants_of, line_of, walk
from tipstaff.survey.classify.declared import Declared, TooInvolvedError, type_of
from tipstaff.survey.model import Mark, Risk

_VALUES: Mapping[Names, tuple[str, ...]] = MappingProxyType(
    {
        ("method",): tuple(METHODS),
        ("phase",): tuple(Phase),
        ("direction",): tuple(Direction),
        ("reference",): tuple(Reference),
        ("tool", "category"): ("", *CATEGORIES),
        ("tool", "risk"): ("", *Risk),
        ("tool", "marks"): tuple(Mark),
        ("protocol", "era"): ("legacy", "modern"),
    }
)
_NUMBERS = (("time",), ("tool", "confidence"))
_EQUAL, _DIFFERENT = ("eq", "equal"), ("neq",)
_ORDER = ("lt", "gt", "lte", "gte")
_PARTS: Mapping[str, tuple[Callable[[str, str], bool], str]] = MappingProxyType(
    {
        "startswith": (str.startswith, "begins with"),
        "endswith": (str.endswith, "ends with"),
        "contains": (str.__contains__, "contains"),
        "regex.match": (lambda text, pattern: _matches(pattern, text), "matches"),
    }
)
_PATTERN_FIRST = "regex.match"
_MEMBER = "internal.member_2"
_OF_OTHER_METHODS = frozenset(
    """messages modelPreferences systemPrompt includeContext temperature maxTokens stopSequences metadata
    tools toolChoice message requestedSchema mode url elicitationId ref argument context""".split()
)
_NOT_OF_TOOLS = (("method",), ("direction",), ("reference",))


class _Comparison(Struct, frozen=True):
    """A part of `input` held against a value; with `as_list` the value is looked for in that part."""

    path: Names
    value: Any
    line: int
    operator: str
    is_condition: bool = False
    as_list: bool = False

    @property
    def outcome(self) -> str:
        """The consequence of a comparison that never holds, as a clause."""
        return "the comparison always holds" if self.operator in _DIFFERENT else "it never holds"


class _Subject(Struct, frozen=True):
    """The servers and tools that a rule is about. `tools` is `None` when it is not about known tools alone."""

    servers: frozenset[str]
    tools: frozenset[str] | None


def cautions(modules: Mapping[str, Node], facts: SiteFacts) -> list[Caution]:
    """Warnings about comparisons in the site's files that never hold."""
    cautions_so_far: set[Caution] = set()
    for file, module in modules.items():
        package = [other for other in modules.values() if _package(other) == _package(module)]
        constants = constants_of(package)
        for rule in module.get("rules") or ():
            cautions_so_far.update(
                Caution(file, line, sentence) for line, sentence in _of_rule(rule, constants, facts)
            )
    return sorted(cautions_so_far)


def _package(module: Node) -> Names:
    return tuple(str(step["value"]) for step in module["package"]["path"])


def _of_rule(
    rule: Node, constants: Mapping[str, Node], facts: SiteFacts
) -> Iterator[tuple[int, str]]:
    scope = Scope(rule, constants)
    compared = list(_compared(rule, scope))
    subject = _subject(rule, scope, compared, facts)
    for comparison in compared:
        yield from _value(comparison, subject, facts)
    yield from _looked_up(rule, scope, subject, facts)
    try:
        yield from _arguments(rule, scope, subject, facts)
        yield from _types(compared, subject, facts)
    except TooInvolvedError:
        return
    yield from _data(rule, facts)


def _compared(rule: Node, scope: Scope) -> Iterator[_Comparison]:
    """Every part of `input` that is compared with a value of the text."""
    known = {*_EQUAL, *_DIFFERENT, *_ORDER, *_PARTS, _MEMBER}
    for call in calls(rule):
        if call.operator not in known or len(call.operands) != 2:
            continue
        sides = (call.operands, call.operands[::-1])
        for is_turned, (term, other) in enumerate(sides):
            path = scope.path(term)
            if not path or (
                call.operator in _PARTS and bool(is_turned) != (call.operator == _PATTERN_FIRST)
            ):
                continue
            as_list = bool(is_turned) and call.operator == _MEMBER
            for constant in scope.constants(other):
                yield _Comparison(
                    path, constant.value, constant.line, call.operator, call.is_condition, as_list
                )


def _subject(rule: Node, scope: Scope, compared: list[_Comparison], facts: SiteFacts) -> _Subject:
    def named(path: Names) -> set[Any]:
        return {
            literal.value
            for literal in compared
            if literal.path == path
            and literal.operator in (*_EQUAL, _MEMBER)
            and literal.is_condition
        }

    servers = frozenset(named(("server",)) & facts.servers) or facts.servers
    tools = facts.tools(servers)
    speaks_of_others = any(
        path in _NOT_OF_TOOLS
        for node in walk(rule)
        if "type" in node and (path := scope.path(node))
    )
    if tools is None or (speaks_of_others and named(("method",)) != {"tools/call"}):
        return _Subject(servers, None)
    return _Subject(servers, frozenset(named(("target",)) & tools) or tools)


def _value(compared: _Comparison, subject: _Subject, facts: SiteFacts) -> Iterator[tuple[int, str]]:
    """Warn of a value that this part of `input` never has."""
    path, value, line = compared.path, compared.value, compared.line
    if not isinstance(value, str):
        return
    if path in _NUMBERS and compared.operator in _ORDER:
        yield line, f'`{_dotted(path)}` is a number, and "{value}" a text: types decide, no values'
        return
    known, none = _known(path, subject, facts)
    if known is None or (path == ("target",) and ("://" in value or not value)):
        return
    holds, verb = _PARTS.get(compared.operator, (None, ""))
    hint = f"{compared.outcome}; {nearest(value, known)}"
    if holds is not None and not any(holds(candidate, value) for candidate in known):
        yield line, f'{none} that {verb} "{value}": {hint}'
    elif holds is None and compared.operator not in _ORDER and value not in known:
        yield line, f"{none} `{value}`: {hint}"


def _matches(pattern: str, text: str) -> bool:
    """Whether the pattern is met; one of another dialect than JSON Schema's may be."""
    try:
        return bool(compile_schema({"pattern": pattern}).is_valid(text))
    except SchemaError:
        return True


def _known(path: Names, subject: _Subject, facts: SiteFacts) -> tuple[frozenset[str] | None, str]:
    """The values that a part of `input` may have, and the words for one that it may not."""
    if path == ("server",):
        return facts.servers or None, "there is no server"
    if path == ("target",):
        tools = None if subject.tools is None else facts.tools(subject.servers)
        who = f"{min(subject.servers)} has" if len(subject.servers) == 1 else "there is"
        return (None if tools is None else tools | facts.others), f"{who} no tool"
    if path in _VALUES:
        return frozenset(_VALUES[path]), f"there is no {path[-1].removesuffix('s')}"
    return None, ""


def _looked_up(
    rule: Node, scope: Scope, subject: _Subject, facts: SiteFacts
) -> Iterator[tuple[int, str]]:
    """Keys of a table in which a part of `input` is looked up."""
    for node in walk(rule):
        for term, key in scope.keys(node) if "type" in node else ():
            path = scope.path(term)
            if path:
                yield from _value(_Comparison(path, key.value, key.line, "equal"), subject, facts)


def _arguments(
    rule: Node, scope: Scope, subject: _Subject, facts: SiteFacts
) -> Iterator[tuple[int, str]]:
    """Arguments that none of the tools has."""
    for node in walk(rule):
        path = scope.path(node) if node.get("type") in {"ref", "call"} else None
        if not path or path[0] != "arguments" or subject.tools is None:
            continue
        parts = [(name, part) for name, part in facts.schemas(subject.servers, subject.tools)]
        for depth, name in enumerate(path[1:]):
            lists = [part.names() for _, part in parts]
            if not lists or None in lists:
                break
            known = {name for names in lists for name in names or ()}
            if name not in known:
                if depth or len(subject.tools) == 1 or name not in _OF_OTHER_METHODS:
                    yield line_of(node), _no_argument(path[: depth + 2], parts, known)
                break
            parts = _inside(parts, name)


def _no_argument(path: Names, parts: list[tuple[str, Declared]], known: set[str]) -> str:
    tools = sorted({tool for tool, _ in parts})
    who = f"{tools[0]} has no argument" if len(tools) == 1 else "no tool has an argument"
    return f"{who} `{'.'.join(path[1:])}`: `{_dotted(path)}` is never there; {nearest(path[-1], known)}"


def _types(
    compared: list[_Comparison], subject: _Subject, facts: SiteFacts
) -> Iterator[tuple[int, str]]:
    """Values that the argument never has, by its declared type or by the values that are declared."""
    for literal in compared:
        if literal.path[0] != "arguments" or len(literal.path) < 2 or subject.tools is None:
            continue
        parts = list(facts.schemas(subject.servers, subject.tools))
        for name in literal.path[1:]:
            parts = _inside(parts, name)
        if literal.as_list:
            parts = [(tool, part.elements()) for tool, part in parts]
        types, values = ([part.types() for _, part in parts], [part.values() for _, part in parts])
        kinds = set().union(*types) if all(types) else set()
        own = type_of(literal.value)
        alike = {own, "integer", "number"} if own in {"integer", "number"} else {own}
        if kinds and not kinds & alike:
            outcome = "types decide, no values" if literal.operator in _ORDER else literal.outcome
            listed = " or ".join(sorted(kinds))
            yield (
                literal.line,
                f"`{_dotted(literal.path)}` is declared as {listed}, and the value is {own}: {outcome}",
            )
        elif kinds and None not in values and literal.operator in (*_EQUAL, *_DIFFERENT, _MEMBER):
            known = {str(value) for listed in values for value in listed or ()}
            if str(literal.value) not in known:
                hint = nearest(str(literal.value), known)
                yield (
                    literal.line,
                    f"`{_dotted(literal.path)}` is never `{literal.value}`: {literal.outcome}; {hint}",
                )


def _inside(parts: list[tuple[str, Declared]], name: str) -> list[tuple[str, Declared]]:
    listed = [(tool, part.properties().get(name)) for tool, part in parts]
    return [(tool, part) for tool, part in listed if part is not None]


def _data(rule: Node, facts: SiteFacts) -> Iterator[tuple[int, str]]:
    """Rules or tools of a server that there is not, looked up in `data`."""
    for node in walk(rule):
        parts = node.get("value") if node.get("type") == "ref" else None
        if not isinstance(parts, list) or len(parts) < 3 or not facts.servers:
            continue
        root, section, server = (part.get("value") for part in parts[:3])
        is_server = root == "data" and section in {"servers", "catalog"}
        if is_server and parts[2]["type"] == "string" and server not in facts.servers:
            hint = nearest(server, facts.servers)
            yield (
                line_of(node),
                f"there is no server `{server}`: `data.{section}.{server}` is never there; {hint}",
            )


def _dotted(path: Names) -> str:
    return ".".join(("input", *path))
