"""Reads Rego's syntax tree, as `opa parse` gives it with locations: which parts of `input` terms mean. Pure.

Only what stands in the text is known: a name that is worked out ends a path, and a value that is
computed is none. A variable that was given a part of `input` in the same rule stands for that part, and
a name of the package stands for its value where the text gives one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

Node: TypeAlias = Mapping[str, Any]
Names: TypeAlias = tuple[str, ...]

_EQUALITIES = ("eq", "equal", "assign")
_SCALARS = ("string", "number", "boolean", "null")
_COLLECTIONS = ("set", "array")


class Constant(Struct, frozen=True):
    """A value that stands in the text, and its line."""

    value: Any
    line: int


class Call(Struct, frozen=True):
    """An operator or built-in function, by its dotted name, and what it is applied to."""

    operator: str
    operands: tuple[Node, ...]
    line: int
    is_condition: bool
    """Whether it stands in the body of the rule itself, where it must hold."""


def line_of(node: Node) -> int:
    """The line at which a node stands."""
    return int(node["location"]["row"]) if "location" in node else 1


def walk(node: Any, *, negated: bool = True) -> Iterator[Node]:
    """Every node within, outermost first; with `negated=False` nothing below a `not`."""
    if isinstance(node, list):
        for item in node:
            yield from walk(item, negated=negated)
    elif isinstance(node, Mapping):
        if not negated and (node.get("type") == "not" or node.get("negated")):
            return
        yield node
        for key, value in node.items():
            if key != "location":
                yield from walk(value, negated=negated)


def calls(rule: Node) -> Iterator[Call]:
    """Everything that is compared or called in a rule, its head included."""
    body = {id(expression) for expression in rule.get("body", ()) if not expression.get("negated")}
    for node in walk({key: rule[key] for key in ("head", "body", "else") if key in rule}):
        terms = node.get("value") if node.get("type") == "call" else node.get("terms")
        if isinstance(terms, list) and terms and terms[0].get("type") == "ref":
            operator = ".".join(str(part["value"]) for part in terms[0]["value"])
            yield Call(operator, tuple(terms[1:]), line_of(terms[-1]), id(node) in body)


class Scope:
    """The meaning of names in one rule: parts of `input`, and values of the package."""

    def __init__(self, rule: Node, constants: Mapping[str, Node]) -> None:
        self._constants = constants
        self._aliases: dict[str, Node] = {}
        for call in calls(rule):
            if call.operator in _EQUALITIES and len(call.operands) == 2:
                left, right = call.operands
                if left["type"] == "var" and self.path(right):
                    self._aliases.setdefault(left["value"], right)

    def path(self, term: Node) -> Names | None:
        """Where below `input` a term leads, as far as its text says; `None` for another term."""
        kind: str = term["type"]
        parts: Any = term.get("value")
        if kind == "var":
            return () if parts == "input" else self._named(parts)
        if kind == "call":
            return self._got(term["value"])
        if kind != "ref":
            return None
        start = self.path(parts[0])
        if start is None:
            return None
        names = []
        for part in parts[1:]:
            if part["type"] != "string":
                break
            names.append(part["value"])
        return (*start, *names)

    def constants(self, term: Node) -> Iterator[Constant]:
        """The values that a term stands for: itself, or each element of a set or list."""
        kind: str = term["type"]
        value: Any = term.get("value")
        if kind in _SCALARS:
            yield Constant(value, line_of(term))
        elif kind in _COLLECTIONS:
            for element in value:
                yield from self.constants(element) if element["type"] in _SCALARS else ()
        elif kind == "var" and value in self._constants:
            yield from self.constants(self._constants[value])
        elif kind == "ref" and len(value) == 2 and value[0]["type"] == "var":
            collection = self._constants.get(value[0]["value"])
            if collection is not None and value[1]["type"] == "var":
                yield from self.constants(collection)

    def keys(self, term: Node) -> Iterator[tuple[Node, Constant]]:
        """Where a term looks a value up in an object of the text: by what, and the keys there are."""
        parts: Any = term.get("value")
        if term["type"] != "ref" or len(parts) < 2 or parts[0]["type"] != "var":
            return
        table = self._constants.get(parts[0]["value"])
        if table is not None and table["type"] == "object":
            for key, _ in table["value"]:
                yield from ((parts[1], constant) for constant in self.constants(key))

    def _named(self, name: str) -> Names | None:
        alias = self._aliases.get(name)
        return None if alias is None else self.path(alias)

    def _got(self, terms: list[Node]) -> Names | None:
        """The path that `object.get(input…, "name" or ["a", "b"], default)` reads."""
        operator = [part.get("value") for part in terms[0].get("value", ())]
        if operator != ["object", "get"] or len(terms) != 4:
            return None
        start, key = self.path(terms[1]), terms[2]
        names = key["value"] if key["type"] == "array" else [key]
        if start is None or not all(name["type"] == "string" for name in names):
            return None
        return (*start, *(name["value"] for name in names))


def constants_of(modules: Iterable[Node]) -> dict[str, Node]:
    """The rules of a package that give a value of the text and ask for nothing, by name."""
    values: dict[str, Node] = {}
    for rule in (rule for module in modules for rule in module.get("rules") or ()):
        head = rule["head"]
        name, value = str(head["ref"][0]["value"]), head.get("value")
        if len(head["ref"]) > 1 or head.get("args") or not _is_unconditional(rule):
            continue
        if head.get("key") is not None and value is None:
            earlier = values.get(name, {"type": "set", "value": []})
            values[name] = {"type": "set", "value": [*earlier["value"], head["key"]]}
        elif value is not None:
            values.setdefault(name, value)
    return values


def _is_unconditional(rule: Node) -> bool:
    terms = [expression.get("terms") for expression in rule.get("body", ())]
    return "else" not in rule and all(
        isinstance(term, Mapping) and (term.get("type"), term.get("value")) == ("boolean", True)
        for term in terms
    )
