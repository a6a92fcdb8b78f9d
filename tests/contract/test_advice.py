"""The rule in Rego that is advised does what is said of it, by the real OPA."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pdp.policy.bundle import check, library_folder, read_policy
from pep.config import PepConfig
from tipstaff.cli.run.install import find_opa
from tipstaff.lint.site import cautions
from tipstaff.survey.classify.attacks import attacks_on
from tipstaff.survey.model import Category, Classification, Risk

LIBRARY = library_folder()
OPA = find_opa(None) or Path("make dev gets it")


def advised() -> str:
    """The rule that stands against a confused deputy."""
    kind = Classification(Category.WRITE, Risk.HIGH, 1.0, (), (), "")
    hits = attacks_on("grant", "s", {}, kind)
    stops = next(hit.stops for hit in hits if hit.key == "confused_deputy")
    (rule,) = re.findall(r"`(deny contains [^`]*)`", stops)
    return f"package site.people\n\nimport future.keywords.not\n\n{rule}\n"


def denies(file: Path, call: Any) -> bool:
    command = [
        str(OPA),
        "eval",
        "--format=raw",
        "-I",
        "-d",
        str(file),
        "count(data.site.people.deny)",
    ]
    done = subprocess.run(
        command, input=json.dumps(call), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip() == "1"


CRITICAL = {"risk": "critical"}


@pytest.mark.parametrize(
    ("call", "denied"),
    [
        ({"tool": CRITICAL, "principal": {"id": "jwt:ann", "kind": "jwt"}}, False),
        ({"tool": {"risk": "low"}, "principal": {"id": "token:ci"}}, False),
        ({"tool": CRITICAL, "principal": {"id": "jwt-client:agent", "kind": "jwt"}}, True),
        ({"tool": CRITICAL, "principal": {"id": "token:jwt:ann", "kind": "token"}}, True),
        ({"tool": CRITICAL, "principal": {"id": "anonymous:127.0.0.1"}}, True),
        ({"tool": CRITICAL, "principal": {"id": "local:ann"}}, True),
        ({"tool": CRITICAL, "principal": {}}, True),
        ({"tool": CRITICAL}, True),
    ],
)
async def test_only_people_get_round_the_rule_that_is_for_people(
    tmp_path: Path, call: Any, denied: bool
) -> None:
    """Those who have proven who they are; what is not told is no person."""
    file = tmp_path / "site" / "people" / "people.rego"
    file.parent.mkdir(parents=True)
    file.write_text(advised())
    policy = read_policy(tmp_path, LIBRARY)
    await check(policy, opa=OPA, library=LIBRARY)
    assert cautions(policy, tmp_path, PepConfig(), OPA) == []
    assert denies(file, call) is denied
