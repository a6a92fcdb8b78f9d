"""No sign is found in what honest servers list: the data that the classifier is measured on, if it is here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tipstaff.survey.alike import lookalikes
from tipstaff.survey.signs import signs

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TIPSTAFF_DATA", ROOT.parent / "shared" / "data")) / "tools"
TOOLS = 1390


@pytest.fixture(scope="module")
def servers() -> dict[str, list[dict[str, Any]]]:
    """The tools of each server."""
    if not DATA.is_dir():
        pytest.skip(f"no tools below {DATA}: name their folder in TIPSTAFF_DATA")
    files = sorted(DATA.glob("*.json"))
    return {file.stem: json.loads(file.read_bytes())["tools"] for file in files}


def test_no_honest_tool_has_a_sign(servers: dict[str, list[dict[str, Any]]]) -> None:
    """Who is warned of everything is warned of nothing."""
    names = {server: [tool["name"] for tool in tools] for server, tools in servers.items()}
    alarms = [
        (server, tool["name"], sign.kind, sign.excerpt)
        for server, tools in servers.items()
        for others in [{name for one in names if one != server for name in names[one]}]
        for tool in tools
        for sign in signs(tool, names[server], others)
    ]
    assert sum(map(len, servers.values())) >= TOOLS
    assert alarms == []


def test_no_two_honest_servers_are_taken_for_impostors(
    servers: dict[str, list[dict[str, Any]]],
) -> None:
    """Names are shared, and within a server they are alike; none of them imitates another."""
    names = {server: [tool["name"] for tool in tools] for server, tools in servers.items()}
    alarms = {
        (server, tool)
        for server, tools in lookalikes(names).items()
        for tool, sign in tools.items()
        if sign.kind != "same_name"
    }
    assert alarms == set()
