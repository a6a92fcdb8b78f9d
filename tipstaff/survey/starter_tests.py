"""The tests that starter rules begin with: `policy/servers/<name>/rules_test.rego`. Pure.

One case for each kind of rule, in a table that a person goes on with. They hold what the rules say
through the whole policy of the site, so that a rule in Rego that changes it is noticed. The package is
not below `servers`: data and a package at one path would be a conflict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from tipstaff.survey.presets import EVERYTHING, Budget, Preset, Ruling
from tipstaff.survey.quoting import key, strict
from tipstaff.survey.starter import Surveyed, judged, ordered

_SAYS = {"allow": "passes", "deny": "is denied", "require_approval": "waits for a person"}
_ENFORCED = """\
# By a sentence: a call, and what comes of it. A limit is so many calls, in so many seconds, per whom;
# `declared` is the schema that the tool itself declares, and the arguments must meet.
"""
_OBSERVED = """\
# By a sentence: a call, what comes of it while nothing is enforced, and what would otherwise.
"""
_WOULD = {
    "allow": "passes",
    "deny": "would be denied",
    "require_approval": "would wait for a person",
}
_EFFECTS = {"allow": "allow", "deny": "deny", "require_approval": "hold"}


def tests(server: str, tools: Sequence[Surveyed], preset: Preset) -> str:
    """The text of the tests of the rules that `starter.rules` gives for the same arguments."""
    examples = _examples(ordered(tools), preset)
    table = "".join(_case(server, tool, preset) for tool in examples)
    title = _OBSERVED if preset is Preset.OBSERVE else _ENFORCED
    cases = [f"{title}cases := {{\n{table}}}\n", *_held(server, preset)] if examples else []
    return "\n".join([_head(server), *cases, _unknown(tools, preset)])


def _examples(tools: Iterable[Surveyed], preset: Preset) -> list[Surveyed]:
    """The first tool for each rule of each category, rather one whose name calls can have."""
    found: dict[tuple[str, Ruling], Surveyed] = {}
    for tool in sorted(tools, key=lambda one: not strict(one.name)):
        if key(tool.name) is not None:
            kind = (tool.classification.category.value, judged(tool, preset))
            found.setdefault(kind, tool)
    return ordered(found.values())


def _case(server: str, tool: Surveyed, preset: Preset) -> str:
    says, found = judged(tool, preset), tool.classification
    facts: dict[str, object] = {"category": found.category.value, "risk": found.risk.value}
    facts |= {"marks": [mark.value for mark in found.marks]} if found.marks else {}
    lines = {"call": {"target": tool.name, "tool": facts}, **_outcome(server, tool, preset)}
    outcomes = _WOULD if preset is Preset.OBSERVE else _SAYS
    sentence = f"{found.category.value}: {tool.name} {outcomes[says.action]}"
    body = "".join(
        f"\t\t{json.dumps(name)}: {json.dumps(value)},\n" for name, value in lines.items()
    )
    return f"\t{json.dumps(sentence)}: {{\n{body}\t}},\n"


def _outcome(server: str, tool: Surveyed, preset: Preset) -> dict[str, object]:
    says = judged(tool, preset)
    effect = _EFFECTS[says.action]
    if preset is Preset.OBSERVE:
        return {"effect": "allow", "shadow": [] if effect == "allow" else [effect]}
    return {
        "effect": effect,
        "limits": dict(_limits(server, tool.name, says, preset)),
        "checks": ["declared"] if says.declared else [],
    }


def _limits(
    server: str, tool: str, says: Ruling, preset: Preset
) -> Iterator[tuple[str, list[object]]]:
    if says.action != "deny":
        yield f"{server}:everything", _numbers(EVERYTHING[preset])
    if says.budget:
        yield f"{server}/{tool}", _numbers(says.budget)


def _numbers(budget: Budget) -> list[object]:
    return [budget.max, budget.window, budget.scope]


def _head(server: str) -> str:
    return f"""\
# What the starter rules of {server} come to, a case for each kind of rule. `tipstaff test` runs it; no
# decision reads it. Yours to change, like the rules.
package tests.{server}_rules_test

import data.mcp.lib.calls_test as calls
import data.mcp.main

# The answer of the whole policy to a call, of which `fields` say what matters.
decision(fields) := answer if {{
	call := calls.with_fields(object.union({{"server": "{server}"}}, fields))
	answer := main.decision with input as call
}}
"""


def _held(server: str, preset: Preset) -> list[str]:
    return (
        [_EFFECT, _SHADOW] if preset is Preset.OBSERVE else [_EFFECT, _limits_held(server), _CHECKS]
    )


_EFFECT = """\
test_effect[sentence] if {
	some sentence, tc in cases
	decision(tc.call).effect == tc.effect
}
"""
_SHADOW = """\
test_shadow[sentence] if {
	some sentence, tc in cases
	[finding.effect | some finding in decision(tc.call).shadow] == tc.shadow
}
"""
_CHECKS = """\
test_checks[sentence] if {
	some sentence, tc in cases
	[check.schema_ref | some check in decision(tc.call).checks] == tc.checks
}
"""


def _limits_held(server: str) -> str:
    return f"""\
test_limits[sentence] if {{
	some sentence, tc in cases
	limits := {{limit.name: [limit.max, limit.window, limit.scope] |
		some limit in decision(tc.call).limits
		startswith(limit.rule, "servers.{server}.")
	}}
	limits == tc.limits
}}
"""


def _unknown(tools: Sequence[Surveyed], preset: Preset) -> str:
    effect = "allow" if preset is Preset.OBSERVE else "deny"
    name = "passes_and_is_recorded" if preset is Preset.OBSERVE else "is_denied"
    stranger, known = "a_tool_that_nobody_has_looked_at", {tool.name for tool in tools}
    while stranger in known:
        stranger += "_"
    return f"""\
test_a_tool_that_nobody_has_looked_at_{name} if {{
	decision({{"target": "{stranger}"}}).effect == "{effect}"
}}
"""
