"""Starter tests, by the real OPA: an honest edit of the rules breaks none, an accidental opening does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pdp.bundle import library_folder
from tests.surveyed import FILES
from tipstaff.survey import starter, starter_tests
from tipstaff.survey.presets import Preset

OPA = Path(__file__).parents[2] / ".tools" / "opa-1.22.2" / "opa"
Rules = dict[str, Any]
PRESETS = pytest.mark.parametrize("preset", Preset)


def holds(folder: Path, preset: Preset, edit: Callable[[Rules], Any], site: str = "") -> bool:
    """Whether the starter tests hold after an edit of the starter rules."""
    rules = yaml.safe_load(starter.rules("files", FILES, preset))
    edit(rules)
    place = folder / "policy" / "servers" / "files"
    place.mkdir(parents=True)
    (place / "data.yaml").write_text(yaml.safe_dump(rules))
    (place / "rules_test.rego").write_text(starter_tests.tests("files", FILES, preset))
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
    "the default hides": lambda rules: rules.update(default="hide"),
    "only observed for a while": lambda rules: rules.update(shadow=True),
    "no longer observed": enforced,
}
OPENING: dict[str, Callable[[Rules], Any]] = {
    "the line with the action is lost": without("wipe", "action"),
    "a rule of nothing": lambda rules: rules["tools"].update(pay={}),
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
