"""The tests that starter rules begin with: `policy/servers/<name>/rules_test.rego`. Pure.

They hold what an edit of the rules must not lose by accident, and nothing that an honest one changes. To
close a tool, to count otherwise, to write another schema breaks none of them. What began closed may be
opened, where its rule says so by name; by a lost line, a wide rule or a default it may not. Calls go
through the whole policy of the site, so that a rule in Rego that opens too much is noticed.

The package is not below `servers`: data and a package at one path would be a conflict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tipstaff.survey.starter.presets import Preset, Ruling
from tipstaff.survey.starter.quoting import key, strict
from tipstaff.survey.starter.rules import Surveyed, judged, ordered


def tests(server: str, tools: Sequence[Surveyed], preset: Preset) -> str:
    """The text of the tests of the rules that `starter.rules` gives for the same arguments."""
    examples = {_sentence(tool): tool for tool in _examples(ordered(tools), preset)}
    says = {sentence: judged(tool, preset) for sentence, tool in examples.items()}
    closed = [sentence for sentence, ruling in says.items() if ruling.action != "allow"]
    hidden = [sentence for sentence, tool in examples.items() if tool.begins_hidden]
    checked = [sentence for sentence, ruling in says.items() if ruling.declared]
    parts = [_head(server)]
    if examples:
        parts += [_cases(examples), _COUNTED]
    if closed:
        parts.append(_set("closed", "What began closed", closed) + _closed(server))
    if hidden:
        parts.append(_set("hidden", "What began hidden: its definition has warning signs", hidden))
        parts[-1] += _hidden(server)
    if checked:
        parts.append(_set("checked", "Whose arguments had to meet a schema", checked) + _CHECKED)
    return "\n".join([*parts, _unknown(server, tools)])


def _examples(tools: Iterable[Surveyed], preset: Preset) -> list[Surveyed]:
    """The first tool for each rule of each category, rather one whose name calls can have.

    Of the tools that begin hidden it is every one.
    """
    examples: dict[tuple[str, Ruling, str], Surveyed] = {}
    for tool in sorted(tools, key=lambda tool: not strict(tool.name)):
        if key(tool.name) is not None:
            own = tool.name if tool.begins_hidden else ""
            kind = (tool.classification.category.value, judged(tool, preset), own)
            examples.setdefault(kind, tool)
    return ordered(examples.values())


def _sentence(tool: Surveyed) -> str:
    return f"{tool.classification.category.value}: {tool.name}"


def _cases(examples: dict[str, Surveyed]) -> str:
    lines = "".join(
        f"\t{json.dumps(sentence)}: {json.dumps(_call(tool))},\n"
        for sentence, tool in examples.items()
    )
    return f"# A call for each kind of rule.\ncases := {{\n{lines}}}\n"


def _call(tool: Surveyed) -> dict[str, object]:
    kind = tool.classification
    facts: dict[str, object] = {"category": kind.category.value, "risk": kind.risk.value}
    facts |= {"marks": [mark.value for mark in kind.marks]} if kind.marks else {}
    return {"target": tool.name, "tool": facts}


def _set(name: str, what: str, sentences: Iterable[str]) -> str:
    lines = "".join(f"\t{json.dumps(sentence)},\n" for sentence in sentences)
    return f"# {what}.\n{name} := {{\n{lines}}}\n\n"


def _head(server: str) -> str:
    return f"""\
# What an edit of the rules of {server} must not lose by accident. To close a tool, to change a number, a
# reason or a schema breaks no test here; to open more than was meant does. `tipstaff test` runs them; no
# decision reads them. Yours to change, like the rules.
package tests.{server}_rules_test

import data.mcp.lib.calls_test as calls
import data.mcp.main

# The answer of the whole policy to a call, of which `fields` say what matters.
decision(fields) := answer if {{
	call := calls.with_fields(object.union({{"server": "{server}"}}, fields))
	answer := main.decision with input as call
}}

# What comes of a call; while rules are in shadow, what would.
effect(fields) := "deny" if "deny" in effects(fields)

else := "hold" if "hold" in effects(fields)

else := "allow"

effects(fields) := {{answer.effect}} | {{finding.effect | some finding in answer.shadow}} if {{
	answer := decision(fields)
}}
"""


def _closed(server: str) -> str:
    return f"""\
# A tool is opened by name: its own rule says `action: allow`.
wanted(tool) := {{"allow", "deny", "hold"}} if data.servers["{server}"].tools[tool].action == "allow"

else := {{"deny", "hold"}}

test_what_began_closed_is_open_only_where_its_rule_says_allow[sentence] if {{
	some sentence in closed
	call := cases[sentence]
	got := effect(call)
	got in wanted(call.target)
}}
"""


def _hidden(server: str) -> str:
    return f"""\
# Its own rule says another action, by name; or the server has it no longer.
may_be_seen(tool) if data.servers["{server}"].tools[tool].action != "hide"

may_be_seen(tool) if not data.catalog["{server}"].tools[tool]

# Whether a call is answered as if there were no such tool; while rules are in shadow, would be.
is_hidden(fields) := true in hidings(fields)

hidings(fields) := {{answer.hidden}} | {{true | some finding in answer.shadow; finding.code == "hidden"}} if {{
	answer := decision(fields)
}}

test_what_began_hidden_is_seen_only_where_its_rule_says_so[sentence] if {{
	some sentence in hidden
	call := cases[sentence]
	wanted := {{true}} | {{false | may_be_seen(call.target)}}
	got := is_hidden(call)
	got in wanted
}}
"""


_COUNTED = """\
test_what_is_not_denied_is_counted_by_some_limit[sentence] if {
	some sentence, call in cases
	wanted := {"allow": 1, "hold": 1, "deny": 0}[effect(call)]
	got := count(decision(call).limits)
	got >= wanted
}
"""
_CHECKED = """\
test_what_is_not_denied_has_its_arguments_checked[sentence] if {
	some sentence in checked
	wanted := {"allow": 1, "hold": 1, "deny": 0}[effect(cases[sentence])]
	got := count(decision(cases[sentence]).checks)
	got >= wanted
}
"""


def _unknown(server: str, tools: Sequence[Surveyed]) -> str:
    stranger, known = "a_tool_that_nobody_has_looked_at", {tool.name for tool in tools}
    while stranger in known:
        stranger += "_"
    return f"""\
# Whatever `default` says while nothing is enforced.
wanted_of_a_stranger := {{"allow", "deny", "hold"}} if data.servers["{server}"].shadow == true

else := {{"deny", "hold"}}

test_a_tool_that_nobody_has_looked_at_stays_closed if {{
	got := effect({{"target": "{stranger}"}})
	got in wanted_of_a_stranger
}}
"""
