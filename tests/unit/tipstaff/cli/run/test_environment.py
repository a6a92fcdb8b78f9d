"""What each service finds in its environment: its own, and nothing that another's settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tipstaff.cli.configuration.config import parse
from tipstaff.cli.run.environment import environment

AROUND = {
    "PATH": "/bin", "HOME": "/root", "LC_CTYPE": "C", "PYTHONPATH": "x", "AWS_SECRET": "no",
    "BEARER": "b", "KEY": "k", "REDIS": "redis://r", "GRPC_TOKEN": "g",
}  # fmt: skip
TEXT = """
[limits]
store = "redis"
url = "env:REDIS"
[servers.s]
url = "http://127.0.0.1:9/mcp"
bearer = "env:BEARER"
headers = {X-Key = "env:KEY", X-Grpc = "env:GRPC_TOKEN"}
"""
PLAIN = {"PATH", "HOME", "LC_CTYPE", "PYTHONPATH", "MALLOC_ARENA_MAX"}


@pytest.mark.parametrize(
    ("service", "own"),
    [
        ("pdp", {"REDIS"}),
        ("pep", {"BEARER", "KEY", "GRPC_TOKEN"}),
        ("gate", {"REDIS", "BEARER", "KEY", "GRPC_TOKEN"}),
        ("console", set()),
    ],
)
def test_a_service_gets_what_its_own_settings_name_and_what_programs_need(
    service: str, own: set[str]
) -> None:
    """A variable that another's settings name stays away, whatever it is called."""
    config = parse(TEXT, Path("/site/tipstaff.toml"))
    assert set(environment(service, config, AROUND)) == PLAIN | own  # type: ignore[arg-type]


def test_what_both_name_both_get() -> None:
    """It is theirs."""
    text = TEXT.replace("env:BEARER", "env:REDIS")
    config = parse(text, Path("/site/tipstaff.toml"))
    for service in ("pdp", "pep"):
        assert environment(service, config, AROUND)["REDIS"] == "redis://r"  # type: ignore[arg-type]
