"""`findings.rego` names every rule of the library: one that it forgets would decide nothing (ADR 3)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pdp.policy.bundle import library_folder
from tipstaff.cli.run.install import find_opa

OPA = find_opa(None) or Path("make dev gets it")
LIBRARY = library_folder() / "mcp"


def parsed(file: Path) -> Any:
    """The syntax tree of a module."""
    command = [str(OPA), "parse", "--format", "json", str(file)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Every `package.name` in a tree."""
    if isinstance(node, list):
        for member in node:
            yield from references(member)
    elif isinstance(node, dict):
        value = node.get("value")
        if node.get("type") == "ref" and len(value) == 2:
            yield value[0]["value"], value[1]["value"]
        for member in node.values():
            yield from references(member)


def elements(library: Path) -> set[str]:
    """What the rules contribute: `folder.rule.set` for every set that a rule's module offers."""
    names = set()
    for file in (library / "rules").glob("*/*/*.rego"):
        if file.stem.endswith("_test"):
            continue
        tree = parsed(file)
        package = [step["value"] for step in tree["package"]["path"][1:]]
        assert package == ["mcp", "rules", *file.parent.relative_to(library / "rules").parts]
        for rule in tree["rules"]:
            head = rule["head"]
            name = head.get("name") or head["ref"][0]["value"]
            if "key" in head and not name.startswith("_"):
                names.add(".".join([*package[2:], name]))
    return names


def named(library: Path) -> set[str]:
    """What `findings.rego` takes from the rules."""
    tree = parsed(library / "lib" / "findings" / "findings.rego")
    paths = [[step["value"] for step in one["path"]["value"]] for one in tree["imports"]]
    packages = {path[-1]: path[3:] for path in paths if path[:3] == ["data", "mcp", "rules"]}
    return {
        ".".join([*packages[package], name])
        for package, name in references(tree["rules"])
        if package in packages
    }


def test_findings_name_what_the_rules_offer_and_nothing_else() -> None:
    """Every set of every rule, by its package."""
    assert named(LIBRARY) == elements(LIBRARY)
    assert {"yaml_rule.action.deny", "servers.limits.limit"} <= elements(LIBRARY)


@pytest.mark.parametrize("name", ["deny", "limit", "a_new_set"])
def test_a_rule_that_is_not_named_is_noticed(tmp_path: Path, name: str) -> None:
    """In a folder of its own, or another set in a rule that is named already."""
    library = tmp_path / "mcp"
    shutil.copytree(LIBRARY, library)
    folder = library / "rules" / "servers" / "added"
    folder.mkdir()
    text = f'package mcp.rules.servers.added\n\n{name} contains {{"code": "x"}} if input.server == "x"\n'
    (folder / "added.rego").write_text(text)
    more = library / "rules" / "servers" / "limits" / "limits.rego"
    more.write_text(more.read_text() + f'\n{name}_too contains "x" if input.server == "x"\n')
    missing = {f"servers.added.{name}", f"servers.limits.{name}_too"}
    assert elements(library) - named(library) == missing
