"""A service loads what it uses: what it holds for nothing costs its start and its memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOADED = """
import json, sys
import tipstaff.__main__
from tipstaff.cli.run import logs, services
import {wiring}
print(json.dumps(sorted(sys.modules)))
"""
# Command lines, tables, other people's SDKs, and what only some configurations need.
HEAVY = {"rich", "pygments", "httpx", "jwt", "cryptography", "mcp", "pydantic", "argcomplete"}


@pytest.mark.parametrize(
    ("wiring", "unused"),
    [
        ("pep.wiring", {"pdp.rules", "pdp.policy", "pdp.limits", "pdp.grpc", "pdp.decide", "yaml", "jsonschema_rs"}),
        ("pdp.wiring", {"pep.front", "pep.upstreams", "pep.callers", "uvicorn"}),
    ],
)  # fmt: skip
def test_a_service_holds_nothing_of_the_other_nor_of_the_command_line(
    wiring: str, unused: set[str]
) -> None:
    """In a process of its own, as `tipstaff up` starts it."""
    code = LOADED.format(wiring=wiring)
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    modules = set(json.loads(output))
    assert "structlog" in modules
    unused |= HEAVY | {"tipstaff.lint", "tipstaff.cli.console", "tipstaff.survey.classify"}
    assert unused & modules == set()
