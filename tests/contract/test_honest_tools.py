"""No sign is found in what honest servers list: the data that the classifier is measured on, if it is here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.survey import DATA, ROOT
from tipstaff.survey.poisoning.lookalikes import lookalikes
from tipstaff.survey.poisoning.signs import signs

TOOLS = 1390


@pytest.fixture(scope="module")
def servers() -> dict[str, list[dict[str, Any]]]:
    """The tools of each server; who has named a folder, or has one, and no tools in it, has none to skip."""
    if not (DATA.exists() or "TIPSTAFF_DATA" in os.environ):
        pytest.skip(f"there is no {DATA}: name the folder of the data in TIPSTAFF_DATA")
    return listed(DATA / "tools")


def listed(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {file.stem: json.loads(file.read_bytes())["tools"] for file in folder.glob("*.json")}


def alarms(servers: dict[str, list[dict[str, Any]]]) -> list[tuple[str, str, str, str]]:
    """Every sign in the definitions of these servers."""
    names = {server: [tool["name"] for tool in tools] for server, tools in servers.items()}
    return [
        (server, tool["name"], sign.kind, sign.excerpt)
        for server, tools in servers.items()
        for others in [{name for one in names if one != server for name in names[one]}]
        for tool in tools
        for sign in signs(tool, names[server], others)
    ]


def test_the_data_is_looked_for_beside_the_checkout() -> None:
    """Where a run of all tests has it; it is missing for those only who have not got it."""
    command = [sys.executable, "-c", "from bench.survey import DATA; print(DATA)"]
    bare = {name: value for name, value in os.environ.items() if name != "TIPSTAFF_DATA"}
    for named, place in (({}, ROOT.parent / "shared" / "data"), ({"TIPSTAFF_DATA": "/x"}, "/x")):
        shown = subprocess.check_output(command, cwd=ROOT, env=bare | named, text=True)
        assert shown.strip() == str(place)
    assert (ROOT / "pyproject.toml").is_file()


def test_no_labelled_tool_of_this_repository_has_a_sign() -> None:
    """These are always here."""
    servers = listed(ROOT / "bench" / "tools")
    assert sum(map(len, servers.values())) > 500
    assert alarms(servers) == []


def test_no_honest_tool_has_a_sign(servers: dict[str, list[dict[str, Any]]]) -> None:
    """Who is warned of everything is warned of nothing."""
    assert sum(map(len, servers.values())) >= TOOLS
    assert alarms(servers) == []


def test_no_two_honest_servers_are_taken_for_impostors(
    servers: dict[str, list[dict[str, Any]]],
) -> None:
    """Names are shared, and within a server they are alike; none of them imitates another."""
    names = {server: [tool["name"] for tool in tools] for server, tools in servers.items()}
    impostors = {
        (server, tool)
        for server, tools in lookalikes(names).items()
        for tool, sign in tools.items()
        if sign.kind != "same_name"
    }
    assert impostors == set()
