"""Starter tests, by the real OPA: an honest edit of the rules breaks none, an accidental opening does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdp.policy.bundle import library_folder
from tests.surveyed import FILES, POISONED, catalogue
from tipstaff.survey.starter import rule_tests
from tipstaff.survey.starter import rules as starter
from tipstaff.survey.starter.presets import Preset

OPA = Path(__file__).parents[2] / ".tools" / "opa-1.22.2" / "opa"
Rules = dict[str, Any]
PRESETS = pytest.mark.parametrize("preset", Preset)


TOOLS = (*FILES, POISONED)


def holds(
    folder: Path, preset: Preset, edit: Callable[[Rules], Any], site: str = "", listed: Any = None
) -> bool:
    """Whether the starter tests hold after an edit of the starter rules."""
    rules = yaml.safe_load(starter.rules("files", TOOLS, preset))
    edit(rules)
    place = folder / "policy" / "servers" / "files"
    place.mkdir(parents=True)
    (place / "data.yaml").write_text(yaml.safe_dump(rules))
    (place / "rules_test.rego").write_text(rule_tests.tests("files", TOOLS, preset))
    pins = folder / "policy" / "catalog" / "files" / "data.json"
    pins.parent.mkdir(parents=True)
    pins.write_text(json.dumps(listed or catalogue(TOOLS)))
    if site:
        (folder / "policy" / "site.rego").write_text(site)
    command = [OPA, "test", library_folder() / "mcp", folder / "policy", "--run", "tests.files"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "PASS: " in result.stdout, result.stderr
    return result.returncode == 0


def tool(name: str, **changes: Any) -> Callable[[Rules], Any]:
    return lambda rules: rules["tools"][name].update(changes)


def without(name: str, key: str) -> Callable[[Rules], Any]:
    return lambda rules: rules["tools"][name].pop(key, None)


def enforced(rules: Rules) -> None:
    """The first edit of rules that were only observed, as their own comment says."""
    rules.pop("shadow", None)
    rules["default"] = "deny"


HONEST: dict[str, Callable[[Rules], Any]] = {
    "none": lambda rules: None,
    "another number": tool("write_file", rate_limit={"max": 7, "window": 5, "scope": "principal"}),
    "no limit of its own": without("write_file", "rate_limit"),
    "another limit of all": lambda rules: rules.update(
        limits=[{"name": "all", "max": 5, "window": 60, "scope": "global"}]
    ),
    "another reason": tool("wipe", reason="Ask the platform team."),
    "what was open is closed": tool("list_files", action="deny"),
    "what was open is hidden": tool("list_files", action="hide"),
    "what waited is denied": tool("wipe", action="deny"),
    "a schema of one's own": tool("write_file", arguments={"required": ["path"]}),
    "opened by name": tool("wipe", action="allow", arguments={"required": ["path"]}),
    "a rule is gone": lambda rules: [rules["tools"].pop("wipe"), rules.update(default="deny")],
    "a rule is new": lambda rules: rules["tools"].update(mine={}),
    "what was hidden is opened by name": lambda rules: rules["tools"].update(
        read_note={"action": "allow"}
    ),
    "what was hidden is shown by name and denied": tool("read_note", action="deny"),
    "the default hides": lambda rules: rules.update(default="hide"),
    "only observed for a while": lambda rules: rules.update(shadow=True),
    "no longer observed": enforced,
}
OPENING: dict[str, Callable[[Rules], Any]] = {
    "the line with the action is lost": without("wipe", "action"),
    "a rule of nothing": lambda rules: rules["tools"].update(pay={}),
    "a hidden tool loses its action": without("read_note", "action"),
    "a hidden tool loses its rule": lambda rules: [enforced(rules), rules["tools"].pop("read_note")],
    "a hidden tool has a rule of nothing": lambda rules: rules["tools"].update(read_note={}),
    "the default allows": lambda rules: [enforced(rules), rules.update(default="allow")],
    "no limit at all": lambda rules: [
        rules.pop("limits"), *(one.pop("rate_limit", None) for one in rules["tools"].values()),
    ],
    "arguments are free": without("write_file", "arguments"),
}  # fmt: skip


@PRESETS
@pytest.mark.parametrize("edit", HONEST)
def test_an_honest_edit_breaks_no_starter_test(tmp_path: Path, preset: Preset, edit: str) -> None:
    """In each preset, also of the rules that are observed only."""
    assert holds(tmp_path, preset, HONEST[edit])


@PRESETS
@pytest.mark.parametrize("edit", OPENING)
def test_an_accidental_opening_breaks_one(tmp_path: Path, preset: Preset, edit: str) -> None:
    """Whether it is enforced already or not."""
    assert not holds(tmp_path, preset, OPENING[edit])


@pytest.mark.parametrize("preset", [Preset.RECOMMENDED, Preset.STRICT])
def test_a_rule_in_rego_that_permits_everything_breaks_one(tmp_path: Path, preset: Preset) -> None:
    """A tool that nobody has looked at is open by it."""
    site = (
        'package site.mine\n\npermit contains {"code": "allowed", "message": "all", "rule": "r"} '
        'if input.method == "tools/call"\n'
    )
    assert not holds(tmp_path, preset, lambda rules: None, site)


@PRESETS
def test_a_hidden_tool_may_go_from_the_server_and_its_rule_with_it(
    tmp_path: Path, preset: Preset
) -> None:
    """Registered again, the rule becomes a comment; that breaks no test that it was hidden."""

    def gone(rules: Rules) -> None:
        enforced(rules)
        rules["tools"].pop("read_note")

    assert holds(tmp_path, preset, gone, listed=catalogue(FILES))


@pytest.mark.parametrize("preset", [Preset.RECOMMENDED, Preset.STRICT])
@pytest.mark.parametrize("phase", ["call", "list"])
def test_a_poisoned_tool_is_in_no_list_and_no_call_of_it_passes(
    tmp_path: Path, preset: Preset, phase: str
) -> None:
    """The model never reads its text; to a caller it looks like a tool that there is not."""
    answer = decided(tmp_path, preset, phase)
    assert (answer["effect"], answer["hidden"], answer["reason"]["code"]) == (
        "deny",
        True,
        "hidden",
    )


@pytest.mark.parametrize("phase", ["call", "list"])
def test_while_rules_are_observed_a_poisoned_tool_is_only_recorded(
    tmp_path: Path, phase: str
) -> None:
    """As its comment says."""
    answer = decided(tmp_path, Preset.OBSERVE, phase)
    assert (answer["effect"], answer["hidden"]) == ("allow", False)
    assert [finding["code"] for finding in answer["shadow"]] == ["hidden"]


def decided(folder: Path, preset: Preset, phase: str) -> Any:
    """What the whole policy says of the poisoned tool under its starter rules."""
    place = folder / "policy" / "servers" / "files"
    place.mkdir(parents=True)
    (place / "data.yaml").write_text(starter.rules("files", TOOLS, preset))
    asked = {
        "server": "files", "method": "tools/call", "phase": phase, "target": POISONED.name,
        "arguments": {"path": "a"}, "annotations": {}, "request_id": "r", "time": 1, "is_retry": False,
        "tool": {"category": "Read", "risk": "critical", "confidence": 0.9, "marks": [],
                 "pinned": True, "changed": False},
        "principal": {"id": "ann", "kind": "jwt", "claims": {}},
        "session": {"id": "s", "kind": "cooperative"},
    }  # fmt: skip
    command = [
        OPA, "eval", "--format", "raw", "--stdin-input", "-d", library_folder() / "mcp",
        "-d", folder / "policy", "data.mcp.main.decision",
    ]  # fmt: skip
    result = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)
