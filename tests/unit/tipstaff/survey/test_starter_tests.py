"""The tests beside starter rules: a case for each kind of rule, which says what the rule says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.surveyed import FILES, STRANGERS, tool
from tipstaff.survey import starter_tests
from tipstaff.survey.model import Category
from tipstaff.survey.presets import Preset
from tipstaff.survey.quoting import key
from tipstaff.survey.starter import Surveyed

TABLE = re.compile(r"^cases := (\{\n.*?^\})$", re.MULTILINE | re.DOTALL)


def cases(text: str) -> dict[str, Any]:
    """The table: JSON, but for the commas that Rego is written with."""
    table = TABLE.search(text)
    return json.loads(re.sub(r",(\n\t*\})", r"\1", table[1])) if table else {}


def made(tools: Any, preset: Preset = Preset.RECOMMENDED) -> str:
    return starter_tests.tests("files", tools, preset)


def test_each_kind_of_rule_has_a_case_with_a_tool_of_the_server() -> None:
    """What comes of the call, of which budgets it takes, and what its arguments must meet."""
    found = cases(made(FILES))
    everything = {"files:everything": [600, 60, "principal"]}
    assert found["Read: list_files passes"] == {
        "call": {"target": "list_files", "tool": {"category": "Read", "risk": "low"}},
        "effect": "allow",
        "limits": everything,
        "checks": [],
    }
    assert found["Destructive: wipe waits for a person"] == {
        "call": {"target": "wipe", "tool": {"category": "Destructive", "risk": "critical"}},
        "effect": "hold",
        "limits": {**everything, "files/wipe": [5, 60, "principal"]},
        "checks": ["declared"],
    }
    assert len(found) == len(FILES)
    assert {one["call"]["tool"]["category"] for one in found.values()} == set(Category)


def test_what_strict_rules_deny_takes_from_no_budget() -> None:
    """A refused call costs nothing."""
    denied = cases(made(FILES, Preset.STRICT))["Financial: pay is denied"]
    assert (denied["effect"], denied["limits"], denied["checks"]) == ("deny", {}, [])


def test_a_kind_of_rule_has_one_case_however_many_tools_have_it() -> None:
    """By a tool whose name calls can have, if there is one."""
    tools = [tool("!"), tool("b"), tool("c"), tool("a", Category.WRITE), tool("d", Category.WRITE)]
    assert list(cases(made(tools))) == ["Read: b passes", "Write: a passes"]
    assert list(cases(made(tools[:1]))) == ["Read: ! passes"]


def test_a_tool_that_nobody_has_looked_at_is_tried_too() -> None:
    """Under a name that no tool of the server has."""
    stranger = "a_tool_that_nobody_has_looked_at"
    denied = 'decision({"target": "%s"}).effect == "deny"'
    assert denied % stranger in made(FILES)
    assert denied % f"{stranger}__" in made([tool(stranger), tool(f"{stranger}_")])


@pytest.mark.parametrize("tools", [(), (tool("\ud800"),)])
def test_a_server_without_tools_has_only_that_test(tools: Any) -> None:
    """A table of nothing would be read as if it held something."""
    assert re.findall(r"^test_\w+", made(tools), re.MULTILINE) == [
        "test_a_tool_that_nobody_has_looked_at_is_denied"
    ]


def test_the_package_is_the_servers_and_not_below_its_data() -> None:
    """OPA refuses data and a package at one path; a server may be called as Rego's own words."""
    text = starter_tests.tests("not", FILES, Preset.RECOMMENDED)
    assert "\npackage tests.not_rules_test\n" in text


def test_what_is_only_observed_passes_and_what_would_have_come_is_on_record() -> None:
    """A file whose rules are not enforced is tested for just that."""
    found = cases(made(FILES, Preset.OBSERVE))
    assert found["Destructive: wipe would wait for a person"] == {
        "call": {"target": "wipe", "tool": {"category": "Destructive", "risk": "critical"}},
        "effect": "allow",
        "shadow": ["hold"],
    }
    assert found["Read: list_files passes"]["shadow"] == []
    text = made(FILES, Preset.OBSERVE)
    assert 'nobody_has_looked_at"}).effect == "allow"' in text
    assert "tc.limits" not in text


@given(STRANGERS, st.sampled_from([Preset.RECOMMENDED, Preset.STRICT]))
def test_whatever_a_server_calls_its_tools_the_table_holds_them(
    tools: list[Surveyed], preset: Preset
) -> None:
    """In plain ASCII, each name in its place and nowhere else."""
    text = made(tools, preset)
    assert text.isascii()
    found = cases(text)
    named = {one.name for one in tools if key(one.name)}
    assert bool(found) == bool(named)
    for sentence, case in found.items():
        assert case["call"]["target"] in named
        assert case["call"]["target"] in sentence
        assert set(case) == {"call", "effect", "limits", "checks"}
    if found:
        assert TABLE.sub("", text).count("\n") == TABLE.sub("", made(FILES, preset)).count("\n")
