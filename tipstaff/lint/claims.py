"""Finds denials that never fire for callers without claims. Pure.

A condition on a claim that is not there is undefined, and a denial with an undefined condition does not
fire. Below a `not`, and with a default of `object.get`, its absence was thought of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tipstaff.lint.caution import Caution
from tipstaff.lint.site_facts import SiteFacts
from tipstaff.lint.syntax import Names, Node, Scope, calls, constants_of, line_of, walk

_CLAIMS = ("principal", "claims")
_CLOSING = ("deny", "require_approval", "hidden", "limit", "check")


def cautions(modules: Mapping[str, Node], facts: SiteFacts) -> list[Caution]:
    """Warnings about rules of the site's files that need a claim which callers may lack."""
    cautions_so_far: set[Caution] = set()
    for file, module in modules.items():
        package = {name: other for name, other in modules.items() if _same(other, module)}
        for rule in module.get("rules") or ():
            name = _name(rule)
            servers = _servers(rule, package, facts) if name in _CLOSING else {}
            for where, line, path in _needed(file, rule, package, set()) if servers else ():
                cautions_so_far.add(Caution(where, line, _sentence(name, path, servers)))
    return sorted(cautions_so_far)


def _sentence(name: str, path: Names, servers: Mapping[str, tuple[str, ...]]) -> str:
    server = min(servers)
    words = " and ".join(servers[server])
    return (
        f"`input.{'.'.join(path)}` is there only for callers with a JWT, and {server} accepts {words} "
        f"as well: for them `{name}` does not fire; put `not` before what has to hold"
    )


def _servers(
    rule: Node, package: Mapping[str, Node], facts: SiteFacts
) -> Mapping[str, tuple[str, ...]]:
    """The servers that the rule may be about and that let callers without claims in."""
    scope = Scope(rule, constants_of(package.values()))
    named = {
        constant.value
        for call in calls(rule)
        if call.operator in {"eq", "equal", "internal.member_2"} and call.is_condition
        for term, other in (call.operands[:2], call.operands[1::-1])
        if scope.path(term) == ("server",)
        for constant in scope.constants(other)
    } & facts.servers
    accepted = facts.without_claims
    return {name: accepted[name] for name in accepted if not named or name in named}


def _needed(
    file: str, rule: Node, package: Mapping[str, Node], seen: set[str]
) -> Iterator[tuple[str, int, Names]]:
    """The claims that must be there for the rule to fire, also those that its helpers ask for."""
    scope = Scope(rule, constants_of(package.values()))
    parts = {key: rule[key] for key in ("head", "body") if key in rule}
    defaulted = {
        id(term) for call in calls(rule) if call.operator == "object.get" for term in call.operands
    }
    for node in walk(parts, negated=False):
        path = scope.path(node) if node.get("type") == "ref" and id(node) not in defaulted else None
        if path and path[:2] == _CLAIMS and len(path) > 2:
            yield file, line_of(node), path
        name = _called(node)
        if name and name not in seen:
            seen.add(name)
            for where, module in package.items():
                for other in module.get("rules") or ():
                    if _name(other) == name:
                        yield from _needed(where, other, package, seen)


def _called(node: Node) -> str:
    """The rule or function of the package that a term names; "" for another term."""
    kind, value = node.get("type"), node.get("value")
    first: Any = value[0] if kind == "ref" and isinstance(value, list) else node
    return str(first["value"]) if first.get("type") == "var" else ""


def _name(rule: Node) -> str:
    return str(rule["head"]["ref"][0]["value"])


def _same(node: Node, other: Node) -> bool:
    return [step["value"] for step in node["package"]["path"]] == [
        step["value"] for step in other["package"]["path"]
    ]
