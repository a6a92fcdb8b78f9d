"""The tests beside starter rules: a case for each kind of rule, which says what the rule says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.surveyed import FILES, POISONED, STRANGERS, sign, tool
from tipstaff.survey.model import Category
from tipstaff.survey.starter import rule_tests
from tipstaff.survey.starter.presets import Preset
from tipstaff.survey.starter.quoting import key
from tipstaff.survey.starter.rules import Surveyed

TABLE = re.compile(r"^cases := (\{\n.*?^\})$", re.MULTILINE | re.DOTALL)
SETS = re.compile(r"^(closed|hidden|checked) := \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)


def cases(text: str) -> dict[str, Any]:
    """The table: JSON, but for the comma that Rego is written with at its end."""
    table = TABLE.search(text)
    return json.loads(re.sub(r",(\n\t*\})", r"\1", table[1])) if table else {}


def sets(text: str) -> dict[str, list[str]]:
    """The sentences of each set."""
    return {name: json.loads(f"[{body.strip().rstrip(',')}]") for name, body in SETS.findall(text)}


def made(tools: Any, preset: Preset = Preset.RECOMMENDED) -> str:
    return rule_tests.tests("files", tools, preset)


@pytest.mark.parametrize("preset", Preset)
def test_each_kind_of_rule_has_a_case_with_a_tool_of_the_server(preset: Preset) -> None:
    """Every preset says of it what must not be lost, and no number that an edit may change."""
    text = made(FILES, preset)
    assert cases(text)["Destructive: wipe"] == {
        "target": "wipe",
        "tool": {"category": "Destructive", "risk": "critical"},
    }
    assert {one["tool"]["category"] for one in cases(text).values()} == set(Category)
    assert {"Destructive: wipe", "Financial: pay"} <= set(sets(text)["closed"])
    assert "Read: list_files" not in sets(text)["closed"]
    assert "Write: write_file" in sets(text)["checked"]
    assert not re.search(r"\b(600|principal|declared)\b", text)


def test_a_kind_of_rule_has_one_case_however_many_tools_have_it() -> None:
    """By a tool whose name calls can have, if there is one."""
    tools = [tool("!"), tool("b"), tool("c"), tool("a", Category.WRITE), tool("d", Category.WRITE)]
    assert list(cases(made(tools))) == ["Read: b", "Write: a"]
    assert list(cases(made(tools[:1]))) == ["Read: !"]


@pytest.mark.parametrize("preset", Preset)
def test_every_tool_that_begins_hidden_has_a_case(preset: Preset) -> None:
    """Also two of one category: each is a danger of its own."""
    other = tool("a", signs=(sign("padding"),))
    found = sets(made([*FILES, POISONED, other], preset))
    assert found["hidden"] == ["Read: a", "Read: read_note"]
    assert set(found["hidden"]) <= set(found["closed"])
    assert "hidden" not in sets(made(FILES, preset))


def test_a_tool_that_nobody_has_looked_at_is_tried_too() -> None:
    """Under a name that no tool of the server has."""
    stranger = "a_tool_that_nobody_has_looked_at"
    tried = 'effect({"target": "%s"})'
    assert tried % stranger in made(FILES)
    assert tried % f"{stranger}__" in made([tool(stranger), tool(f"{stranger}_")])


@pytest.mark.parametrize("tools", [(), (tool("\ud800"),)])
def test_a_server_without_tools_has_only_that_test(tools: Any) -> None:
    """A table of nothing would be read as if it held something."""
    assert re.findall(r"^test_\w+", made(tools), re.MULTILINE) == [
        "test_a_tool_that_nobody_has_looked_at_stays_closed"
    ]


def test_the_package_is_the_servers_and_not_below_its_data() -> None:
    """OPA refuses data and a package at one path; a server may be called as Rego's own words."""
    text = rule_tests.tests("not", FILES, Preset.RECOMMENDED)
    assert "\npackage tests.not_rules_test\n" in text


@given(STRANGERS, st.sampled_from(Preset))
def test_whatever_a_server_calls_its_tools_the_table_holds_them(
    tools: list[Surveyed], preset: Preset
) -> None:
    """In plain ASCII, each name in its place and nowhere else."""
    text = made(tools, preset)
    assert text.isascii()
    table = cases(text)
    named = {tool.name for tool in tools if key(tool.name)}
    assert bool(table) == bool(named)
    for sentence, case in table.items():
        assert case["target"] in named
        assert sentence.endswith(f": {case['target']}")
    for sentences in sets(text).values():
        assert set(sentences) <= table.keys()
    rest = SETS.sub("", TABLE.sub("", text))
    assert {line for line in rest.splitlines() if "looked_at" not in line} <= set(
        SETS.sub("", TABLE.sub("", made([*FILES, POISONED], preset))).splitlines()
    )
