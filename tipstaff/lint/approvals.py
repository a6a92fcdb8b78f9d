"""Finds calls that are held and that nobody can ever approve, and terms that have no effect. Pure.

People are those of the configuration. Somebody whom a login proves may be in other groups, so a group that
nobody is in is warned of and not refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pdp.config import ConfiguredPerson
from pdp.rules.yaml_lines import Path, load, name_of
from tipstaff.common.did_you_mean import nearest
from tipstaff.lint.caution import Caution
from tipstaff.lint.syntax import Node, line_of, walk
from tipstaff.survey.classify.declared import TooInvolvedError, declared

_SETS = "require_approval"
_SECTIONS = ("tools", "categories", "resources", "prompts", "methods")
_OF_SERVERS = ("sampling/createMessage", "elicitation/create", "roots/list")
_CRITICAL = "critical"


class _Terms(Struct, frozen=True):
    """What a rule says of who must say yes; `None` where the text does not tell."""

    approvers: tuple[str, ...] | None = ()
    count: int | None = 1
    not_self: bool | None = True


def of_yaml(
    text: str, source: str, catalogue: Mapping[str, Any] | None, people: Sequence[ConfiguredPerson]
) -> list[Caution]:
    """Warnings about the rules in `text`, which has passed `pdp.rules.server_rules.validate`.

    `catalogue` is what is known of the server's tools, `{"tools": {name: …}}`, or `None`.
    """
    located = load(text, source)
    rules = located.value or {}
    tools = (catalogue or {}).get("tools", {})
    listed = [*_who(rules, people), *_asked_in_vain(rules), *_standing(rules, tools)]
    return [
        Caution(source, located.line(path), f"{name_of(path)}: {sentence}")
        for path, sentence in listed
    ]


def of_rego(modules: Mapping[str, Node], people: Sequence[ConfiguredPerson]) -> list[Caution]:
    """Warnings about the elements of `require_approval` in the site's files, as far as the text has their terms."""
    cautions: set[Caution] = set()
    for file, module in modules.items():
        for rule in module.get("rules") or ():
            if str(rule["head"]["ref"][0]["value"]) == _SETS:
                for node in walk(rule):
                    cautions.update(_of_element(file, node, people))
    return sorted(cautions)


def _of_element(file: str, node: Node, people: Sequence[ConfiguredPerson]) -> Iterator[Caution]:
    written = _members(node).get("approval")
    if written is None or written.get("type") != "object":
        return
    members = _members(written)
    known = {key: _literal(members[key]) for key in members if key in _Terms.__struct_fields__}
    for key, sentence in _faults(_terms(known), people):
        line = line_of(members.get(key, written))
        yield Caution(file, line, f"`approval`: {sentence}")


def _members(node: Node) -> dict[str, Node]:
    """The members of an object of the text, by their names."""
    if node.get("type") != "object":
        return {}
    return {str(key["value"]): value for key, value in node["value"] if key["type"] == "string"}


def _literal(node: Node) -> Any:
    """The value of a text, number, boolean, or list of texts; `None` for what is worked out."""
    if node["type"] in {"string", "number", "boolean"}:
        return node["value"]
    if node["type"] in {"array", "set"}:
        items = [_literal(item) for item in node["value"]]
        return None if None in items else items
    return None


def _terms(written: Mapping[str, Any]) -> _Terms:
    approvers = written.get("approvers", ())
    is_list = isinstance(approvers, Sequence) and not isinstance(approvers, str)
    return _Terms(
        tuple(map(str, approvers)) if is_list else None,
        written.get("count", 1),
        written.get("not_self", True),
    )


def _faults(terms: _Terms, people: Sequence[ConfiguredPerson]) -> Iterator[tuple[str, str]]:
    """What is wrong with who must say yes: the key, and a sentence."""
    groups = {group for person in people for group in person.groups}
    missing = [group for group in terms.approvers or () if group not in groups]
    for group in missing:
        hint = f"; {nearest(group, groups)}" if groups else ""
        yield (
            "approvers",
            (
                f"none of [[approvals.people]] is in the group `{group}`: only somebody whose login "
                f"names it can answer{hint}"
            ),
        )
    if missing or not people or terms.approvers is None or terms.count is None:
        return
    able = [person for person in people if _may(person, terms.approvers)]
    if terms.count > len(able):
        whom = f" of {' or '.join(terms.approvers)}" if terms.approvers else ""
        yield (
            "count",
            (
                f"{_people(terms.count)} must say yes, and [[approvals.people]] has {len(able)}{whom}: "
                "no call is ever approved"
            ),
        )
    elif terms.not_self:
        yield from _own(able, terms.count)


def _own(able: Sequence[ConfiguredPerson], count: int) -> Iterator[tuple[str, str]]:
    """Callers whose own person is needed, and may not answer."""
    for principal in sorted({name for person in able for name in person.principals}):
        others = [person for person in able if principal not in person.principals]
        if len(others) < count:
            yield (
                "not_self",
                (
                    f"a call of {principal} is never approved: nobody answers for their own agent, and without "
                    f"its own people {_people(len(others))} can; ask more people, or say `not_self: false`"
                ),
            )


def _may(person: ConfiguredPerson, approvers: Sequence[str]) -> bool:
    is_in = not approvers or bool(set(approvers) & set(person.groups))
    return person.role == "approver" and is_in


def _people(count: int) -> str:
    return {0: "nobody", 1: "one person"}.get(count, f"{count} people")


def _who(
    rules: Mapping[str, Any], people: Sequence[ConfiguredPerson]
) -> Iterator[tuple[Path, str]]:
    """People who must say yes and cannot, by rule; the terms of the file are told of once, where they stand."""
    usual = rules.get("approval", {})
    told_of_usual = False
    for path, rule in _holding(rules):
        own = rule.get("approval") if isinstance(rule, Mapping) else None
        if own is None and told_of_usual:
            continue
        told_of_usual |= own is None
        base: Path = (*path, "approval") if own is not None else ("approval",)
        written = usual if own is None else own
        for key, sentence in _faults(_terms(written), people):
            where = (*base, key) if key in written else base
            yield where if own is not None or usual else path, sentence


def _holding(rules: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The rules of the file that hold calls."""
    if rules.get("default") == _SETS:
        yield ("default",), None
    for section in _SECTIONS:
        for name, rule in (rules.get(section) or {}).items():
            if isinstance(rule, Mapping) and rule.get("action") == _SETS:
                yield (section, name), rule


def _asked_in_vain(rules: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for name in _OF_SERVERS:
        rule = (rules.get("methods") or {}).get(name)
        if isinstance(rule, Mapping) and rule.get("action") == _SETS:
            yield (
                ("methods", name, "action"),
                (
                    "nobody can be asked about what a server asks of its client: every such request is denied; "
                    "say `deny`, or `allow`"
                ),
            )
    if "approval" in rules and not any(_holding(rules)):
        yield ("approval",), "has no effect: no rule of this file holds a call"


def _standing(rules: Mapping[str, Any], tools: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Grants that cannot stand, or would stand for more calls than they seem to."""
    for path, rule in _holding(rules):
        standing = ((rule or {}).get("approval") or {}).get("standing")
        if path[0] != "tools" or not isinstance(standing, Mapping):
            continue
        entry = tools.get(str(path[1]), {})
        base = (*path, "approval", "standing")
        if entry.get("risk") == _CRITICAL:
            yield base, "has no effect: a grant never stands for a tool of critical risk"
        names = _arguments(entry.get("definition", {}).get("inputSchema"))
        match = standing.get("match", "exact")
        for number, pointer in enumerate(() if isinstance(match, str) else match):
            name = pointer.split("/")[1].replace("~1", "/").replace("~0", "~")
            if names is not None and name not in names:
                yield (
                    (*base, "match", number),
                    (
                        f"{path[1]} has no argument `{name}`, so that calls are equal in it whatever they "
                        f"do; {nearest(name, names)}"
                    ),
                )


def _arguments(schema: Any) -> tuple[str, ...] | None:
    """The names of a tool's arguments; `None` when there may be others."""
    try:
        return declared(schema).names() if isinstance(schema, Mapping) else None
    except TooInvolvedError:
        return None
