"""The bench that registers many servers: its list of them, and what it tells of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.register_many import SERVERS, Package, load, told

RULES: dict[str, Any] = {
    "default": "deny",
    "tools": {
        "read": {},
        "write": {"rate_limit": {"max": 30, "window": 60}},
        "wipe": {"action": "deny"},
        "note": {"action": "hide"},
        "run": {"action": "require_approval", "rate_limit": {"max": 5, "window": 60}},
    },
}


def tool(name: str, category: str, risk: str, *kinds: str) -> dict[str, Any]:
    return {
        "name": name, "category": category, "risk": risk, "confidence": 0.9,
        "signs": [{"kind": kind} for kind in kinds],
    }  # fmt: skip


def test_each_server_of_the_list_can_be_fetched_and_is_there_once() -> None:
    """From one registry, in one version."""
    packages = load(SERVERS)
    assert len(packages) >= 30
    assert len({package.name for package in packages}) == len(packages)
    for package in packages:
        assert bool(package.npm) != bool(package.pypi), package.name
        assert package.version, package.name
    assert sum(not package.seen for package in packages) >= 10


def test_a_key_that_no_server_has_is_an_error(tmp_path: Path) -> None:
    """A slip of the pen would be without effect."""
    file = tmp_path / "servers.toml"
    file.write_text('[[server]]\nname = "a"\nversion = "1"\nnmp = "b"\n')
    with pytest.raises(msgspec.ValidationError, match="nmp"):
        load(file)


def test_what_the_rules_do_with_each_tool_is_told_the_worst_first() -> None:
    """A tool with a sign is the worst; a name that others have too is no sign."""
    tools = [
        tool("read", "Read", "low", "same_name"),
        tool("write", "Write", "medium"),
        tool("wipe", "Destructive", "critical"),
        tool("note", "Read", "critical", "padding"),
        tool("run", "Execute", "critical"),
        tool("new", "Read", "low"),
    ]
    first, *lines = told(Package("a", "1.2", npm="@x/a"), {"tools": tools}, RULES).splitlines()
    assert first == "== a (@x/a 1.2, new): 6 tools"
    assert [line.split()[0] for line in lines[:5]] == ["note", "wipe", "run", "write", "read"]
    assert [line.strip() for line in lines[5:]] == [
        "deny by default: 1: new",
        "allow, no limit: 1: read",
        "allow, 30 in 60 s: 1: write",
        "require_approval, 5 in 60 s: 1: run",
        "deny: 1: wipe",
        "hide: 1: note",
    ]
