"""Warnings about the rules of one server, `servers/<server>/data.yaml`, that have loaded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pdp.rules.server_rules import ACTIONS
from pdp.rules.yaml_lines import Located, Path, load, name_of
from tipstaff.lint import arguments
from tipstaff.lint.arguments import Place
from tipstaff.lint.caution import Caution
from tipstaff.survey.classify.declared import TooInvolvedError, declared

_STRICTNESS = {
    action: ("allow", "require_approval", "deny", "hide").index(action) for action in ACTIONS
}
_DEMANDS = ("rate_limit", "arguments")


def cautions(text: str, source: str, catalogue: Mapping[str, Any] | None) -> list[Caution]:
    """Warnings about the rules in `text`; the text has passed `pdp.rules.server_rules.validate`.

    `catalogue` is what is known of the server's tools, `{"tools": {name: …}}`, or `None`.
    """
    located = load(text, source)
    rules = located.value or {}
    tools = (catalogue or {}).get("tools", {})
    listed = [*_opened(rules, tools), *_schemas(rules, tools)]
    return [_caution(located, path, sentence) for path, sentence in listed]


def _caution(located: Located, path: Path, sentence: str) -> Caution:
    return Caution(located.source, located.line(path), f"{name_of(path)}: {sentence}")


def _schemas(rules: Mapping[str, Any], tools: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for section, named in rules.items():
        for name, rule in named.items() if isinstance(named, dict) else ():
            schema = rule.get("arguments") if isinstance(rule, dict) else None
            if not isinstance(schema, dict):
                continue
            known = tools.get(name, {}).get("definition", {}).get("inputSchema")
            own = declared(known) if section == "tools" and isinstance(known, dict) else None
            try:
                yield from arguments.cautions(
                    schema, Place((section, name, "arguments"), own, name)
                )
            except TooInvolvedError:
                continue


def _opened(rules: Mapping[str, Any], tools: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Tools whose own rule is weaker than that of their category, which it replaces as a whole."""
    for name, rule in rules.get("tools", {}).items():
        category = tools.get(name, {}).get("category", "")
        closed = rules.get("categories", {}).get(category)
        if closed is None:
            continue
        here, there = rule.get("action", "allow"), closed.get("action", "allow")
        path = ("tools", name, "action") if "action" in rule else ("tools", name)
        alone = f"{name} is {category}, and its own rule holds instead of categories.{category}"
        if _STRICTNESS[here] < _STRICTNESS[there]:
            yield path, f"opens what its category closed: {there} there, {here} here; {alone}"
        elif _STRICTNESS[here] < _STRICTNESS["deny"]:
            lost = [f"`{key}`" for key in _DEMANDS if key in closed and key not in rule]
            if lost:
                yield path, f"opens what its category closed: no {' and '.join(lost)} here; {alone}"
