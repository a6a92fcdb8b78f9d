"""`tipstaff.toml` changes while `tipstaff up` runs: it is told, and SIGHUP takes over what can be."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_command_line import tipstaff
from tests.gateway import Gateway, call_headers, eventually, gateway, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

RULES: dict[str, Any] = {"tools": {"read": {}}}


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with (
        asgi_upstream(Counting()) as url,
        gateway(tmp_path, {"a": url}, {"a": RULES, "b": RULES}) as running,
    ):
        yield running


async def status_of_call(gate: Gateway, server: str) -> int:
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.post(
            gate.url(server), json=tool_call("read"), headers=call_headers("read")
        )
        return answer.status_code


def hang_up(gate: Gateway) -> None:
    assert gate.process is not None
    gate.process.send_signal(signal.SIGHUP)


async def logged(gate: Gateway, *words: str) -> None:
    """Wait until a line of the log holds all the words."""

    async def holds() -> bool:
        return any(all(word in line for word in words) for line in gate.log)

    await eventually(holds, 20)


async def test_a_change_is_told_and_taken_over_on_hangup_as_far_as_it_goes(
    gate: Gateway,
) -> None:
    """A server comes and one goes at once; the port needs a restart, and stays."""
    assert await status_of_call(gate, "a") == 200
    assert await status_of_call(gate, "b") == 404
    text = gate.config.read_text().replace("servers.a", "servers.b")
    gate.config.write_text(text.replace("[pep]\n", "[pep]\nmax_under_way = 9\n"))
    await logged(gate, "tipstaff.toml has changed; what runs is older", "kill -HUP")
    assert "runs by an older text of this file: `kill -HUP" in tipstaff(gate.folder, "check").stderr
    assert await status_of_call(gate, "b") == 404

    hang_up(gate)
    await logged(gate, "taken over", "servers.b", "added")
    await logged(gate, "taken over", "servers.a", "removed")
    await logged(gate, "needs a restart", "pep.max_under_way")
    assert await status_of_call(gate, "b") == 200
    assert await status_of_call(gate, "a") == 404
    assert "older text" not in tipstaff(gate.folder, "check").stderr
    shown = tipstaff(gate.folder, "status")
    assert "needs a restart" in shown.stdout
    assert "pep.max_under_way" in shown.stdout


async def test_a_configuration_that_cannot_be_used_changes_nothing(
    gate: Gateway,
) -> None:
    """The log says what is wrong, with its line; the old one goes on."""
    good = gate.config.read_text()
    gate.config.write_text(good + 'bearer = "in clear"\nidle_second = 5\n')
    await logged(gate, "cannot be used; the old one goes on", "did you mean `idle_seconds`")
    hang_up(gate)
    await logged(gate, "configuration not taken over; the old one goes on", "idle_second")
    assert await status_of_call(gate, "a") == 200
    gate.config.write_text(good + 'bearer = "env:NOT_SET_ANYWHERE"\n')
    hang_up(gate)
    await logged(gate, "not taken over", "NOT_SET_ANYWHERE is not set")
    assert await status_of_call(gate, "a") == 200
    gate.config.write_text(good)
    await logged(gate, "tipstaff.toml is as it runs again")


async def test_status_tells_how_the_services_are(gate: Gateway) -> None:
    """In words and as JSON; exit code 0 while all is well, 1 while it is not."""
    shown = tipstaff(gate.folder, "status")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for text in ("proxy", "ready", "decision service", "policy", await gate.revision()):
        assert text in shown.stdout
    (gate.folder / "policy/servers/a/data.yaml").write_text("tools: {read: {acton: deny}}\n")

    async def is_told() -> bool:
        return "did you mean `action`" in tipstaff(gate.folder, "status").stdout

    async def has_reached_the_proxy() -> bool:
        state = json.loads(tipstaff(gate.folder, "status", "--json").stdout)
        return "code" in state["proxy"]

    await eventually(is_told, 20)
    await eventually(has_reached_the_proxy, 20)  # which asks the decision service now and then
    gate.config.write_text(gate.config.read_text() + "\n# another text\n")
    told = tipstaff(gate.folder, "status", "--json")
    plain = json.loads(told.stdout)
    assert told.returncode == 1
    assert plain["policy"]["stale"] is True
    assert "acton" in plain["policy"]["last_error"]
    assert plain["proxy"]["code"] == "policy_stale"
    assert "kill -HUP" in plain["configuration"]["advice"]
    assert {service["service"] for service in plain["services"]} == {"up", "pdp", "pep"}


def test_status_of_what_does_not_run_says_so(tmp_path: Path) -> None:
    """Exit code 1, and nothing is started."""
    tipstaff(tmp_path, "init")
    shown = tipstaff(tmp_path, "status")
    assert shown.returncode == 1
    assert "does not run" in shown.stdout
    assert not (tmp_path / ".tipstaff").exists()
