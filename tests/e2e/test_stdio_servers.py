"""Real servers that speak stdio, through `tipstaff wrap` and behind the proxy URL; and their ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from mcp import Client, StdioServerParameters

from tests import stdio_servers
from tests.gateway import (
    Gateway,
    below,
    call_headers,
    eventually,
    gateway,
    processes,
    tool_call,
)
from tests.stdio_servers import StdioServer

NAMES = ["everything", "filesystem", "git", "iam"]
TIPSTAFF = [sys.executable, "-m", "tipstaff"]
# Starts a process that outlives it and keeps its pipes, then speaks one line for every line.
STUBBORN = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "stubborn-grandchild"])
for line in sys.stdin:
    if "crash" in line:
        os._exit(7)
    print('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},'
          '"serverInfo":{"name":"x","version":"1"}}}', flush=True)
time.sleep(600)
"""
# Answers nothing, and writes down what it hears.
SILENT = """
import sys
for line in sys.stdin:
    with open(sys.argv[1], "a") as notes:
        notes.write(line)
    if "tools/list" in line:
        print('{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}', flush=True)
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Site:
    """The gateway, and every server by its name."""

    def __init__(self, gate: Gateway, servers: dict[str, StdioServer]) -> None:
        self.gate = gate
        self.servers = servers

    def wrapped(self, name: str, *command: str) -> list[str]:
        return [*TIPSTAFF, "wrap", "-c", str(self.gate.config), name, "--", *command]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("stdio")
    files = tmp_path_factory.mktemp("files")
    async with stdio_servers.moto() as moto:
        found = [
            stdio_servers.everything(), stdio_servers.filesystem(files),
            stdio_servers.git(files), stdio_servers.iam(moto),
        ]  # fmt: skip
        servers: dict[str, Any] = {
            one.name: {"command": one.command, "environment": one.environment} for one in found
        }
        rules = {
            one.name: {
                "default": "allow",
                "tools": {one.denied: {"action": "deny", "reason": "Not by agents."}},
            }
            for one in found
        }
        stubborn = (sys.executable, "-c", STUBBORN)
        servers["stubborn"] = {"command": stubborn, "max_processes": 2}
        servers["brief"] = {"command": stubborn, "idle_seconds": 1}
        silent = (sys.executable, "-c", SILENT, str(folder / "heard"))
        servers["silent"] = {"command": silent}
        rules["silent"] = rules["stubborn"] = rules["brief"] = {"default": "allow"}
        async with gateway(folder, servers, rules) as gate:
            yield Site(gate, {one.name: one for one in found})


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("way", ["wrap", "command"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_real_server_lists_answers_and_is_kept_from_what_is_denied(
    site: Site, name: str, way: str, mode: str
) -> None:
    """And goes on after the denial. Only `auto` speaks the modern era, to servers that do."""
    one = site.servers[name]
    command, *arguments = site.wrapped(name, *one.command)
    target: Any = site.gate.url(name)
    if way == "wrap":
        environment = {**os.environ, **one.environment}
        target = StdioServerParameters(command=command, args=arguments, env=environment)
    async with Client(target, mode=mode) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert {one.tool, one.denied} <= set(listed)
        for _ in range(2):
            answer = await client.call_tool(one.tool, one.arguments)
            assert not answer.is_error
            assert one.says in answer.content[0].text
            denied = await client.call_tool(one.denied, {})
            assert denied.is_error
            assert "Not by agents" in denied.content[0].text


async def test_a_process_finds_only_the_environment_that_was_written_for_it(site: Site) -> None:
    """Nothing of the gateway's own, which may hold secrets."""
    async with Client(site.gate.url("everything"), mode="legacy") as client:
        await client.call_tool("echo", {"message": "x"})
        pids = [pid for pid, line in site.gate.descendants().items() if "server-everything" in line]
        assert pids
        for pid in pids:
            found = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            names = {line.partition(b"=")[0].decode() for line in found if line}
            assert "PATH" in names
            assert names <= {
                "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL", "TERM"
            }  # fmt: skip


async def start(command: list[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


BEGIN = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }
).encode()


async def gone(pids: set[int]) -> None:
    async def are_gone() -> bool:
        return not pids & {pid for pid, _, _ in processes()}

    await eventually(are_gone)


def end_input(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()


ENDS: dict[str, Callable[[asyncio.subprocess.Process], None]] = {
    "its client closes its input, or was killed": end_input,
    "SIGTERM": lambda process: process.send_signal(signal.SIGTERM),
    "SIGINT": lambda process: process.send_signal(signal.SIGINT),
}


@pytest.mark.parametrize("end", ENDS)
async def test_of_a_wrapped_server_nothing_is_left(site: Site, end: str) -> None:
    """Also of one that ignores the end of its input, and of what it has started (row 34)."""
    process = await start(site.wrapped("stubborn", sys.executable, "-c", STUBBORN))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(BEGIN + b"\n")
    assert b"protocolVersion" in await asyncio.wait_for(process.stdout.readline(), 30)
    family = below(process.pid)
    assert any("stubborn-grandchild" in line for line in family.values())
    ENDS[end](process)
    assert await asyncio.wait_for(process.wait(), 15) == 0
    await gone(set(family))


async def test_a_wrapper_that_is_killed_takes_its_server_with_it(site: Site) -> None:
    """The kernel sees to the server itself; a well-behaved one has started nothing."""
    one = site.servers["everything"]
    process = await start(site.wrapped("everything", *one.command))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(BEGIN + b"\n")
    await asyncio.wait_for(process.stdout.readline(), 30)
    family = below(process.pid)
    assert family
    process.kill()
    await process.wait()
    await gone(set(family))


async def test_a_wrapped_server_that_crashes_ends_its_wrapper_with_its_code(site: Site) -> None:
    """The client sees the end of the output, as it would of the server's own."""
    process = await start(site.wrapped("stubborn", sys.executable, "-c", STUBBORN))
    assert process.stdin is not None
    process.stdin.write(BEGIN + b"\n" + BEGIN.replace(b'"t"', b'"crash"').replace(b'"id": 1', b'"id": 2') + b"\n")  # fmt: skip
    await asyncio.sleep(0.5)
    family = set(below(process.pid))
    assert await asyncio.wait_for(process.wait(), 15) == 7
    await gone(family)


async def test_a_line_without_its_end_is_judged_when_the_input_ends(site: Site) -> None:
    """Row 33: some servers would take it for a message."""
    call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "get-env"}}
    process = await start(site.wrapped("everything", *site.servers["everything"].command))
    output, _ = await asyncio.wait_for(process.communicate(json.dumps(call).encode()), 30)
    (answer,) = [json.loads(line) for line in output.splitlines()]
    assert (answer["id"], answer["result"]["isError"]) == (5, True)


async def test_without_a_decision_service_a_wrapper_starts_its_own(tmp_path: Path) -> None:
    """And ends it; nothing of it is seen on the output."""
    one = stdio_servers.everything()
    alone = Gateway(tmp_path, {})
    alone.rules("everything", {"tools": {"echo": {}}})
    command = [*TIPSTAFF, "wrap", "-c", str(alone.config), "everything", "--", *one.command]
    async with Client(
        StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    ) as client:
        answer = await client.call_tool("echo", {"message": "hello"})
        assert answer.content[0].text == "Echo: hello"
        assert (await client.call_tool("get-sum", {"a": 1, "b": 2})).is_error
        family = {pid for pid, _, line in processes() if str(tmp_path) in line}
        assert len(family) >= 3
    assert [record["transport"] for record in alone.judged()] == ["stdio", "stdio"]
    assert alone.judged()[0]["session"]["kind"] == "stdio"
    await gone(family)


# Behind the proxy URL.


async def begin(site: Site, client: httpx.AsyncClient, name: str = "stubborn") -> httpx.Response:
    lines = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    return await client.post(site.gate.url(name), content=BEGIN, headers=lines)


def stubborn(site: Site) -> set[int]:
    return {pid for pid, line in site.gate.descendants().items() if "stubborn" in line or "time.sleep" in line}  # fmt: skip


async def has_family(site: Site, size: int) -> bool:
    """Whether the servers have started all that they start, which may take them a moment."""
    return len(stubborn(site)) == size


async def test_every_session_has_a_process_of_its_own_and_its_end_ends_it(site: Site) -> None:
    """With all that it has started."""
    async with httpx.AsyncClient(timeout=20) as client:
        first, second = [await begin(site, client) for _ in range(2)]
        assert first.headers["mcp-session-id"] != second.headers["mcp-session-id"]
        await eventually(lambda: has_family(site, 4))
        family = stubborn(site)
        for answer in (first, second):
            lines = {"Mcp-Session-Id": answer.headers["mcp-session-id"]}
            ended = await client.delete(site.gate.url("stubborn"), headers=lines)
            assert ended.status_code == 200
            again = await client.get(
                site.gate.url("stubborn"), headers={**lines, "Accept": "text/event-stream"}
            )
            assert again.status_code == 404
        await gone(family)


async def test_a_process_that_nobody_uses_is_ended(site: Site) -> None:
    """After a second here."""
    async with httpx.AsyncClient(timeout=20) as client:
        before = stubborn(site)
        await begin(site, client, "brief")
        family = stubborn(site) - before
        assert family
        await gone(family)


async def test_a_process_that_crashes_is_an_error_and_its_session_is_gone(site: Site) -> None:
    """The client begins a new one, as it does after any 404."""
    async with httpx.AsyncClient(timeout=20) as client:
        session = (await begin(site, client)).headers["mcp-session-id"]
        family = stubborn(site)
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "crash"}}
        lines = {"Mcp-Session-Id": session, "Accept": "application/json, text/event-stream"}
        with contextlib.suppress(httpx.RemoteProtocolError):
            answer = await client.post(site.gate.url("stubborn"), json=call, headers=lines)
            assert answer.status_code >= 500
        await gone(family)
        again = await client.post(site.gate.url("stubborn"), json=call, headers=lines)
        assert again.status_code == 404


async def test_a_process_too_many_takes_the_place_of_an_idle_one(site: Site) -> None:
    """Two at a time here; the one that was not used for longest goes."""
    async with httpx.AsyncClient(timeout=20) as client:
        sessions = [(await begin(site, client)).headers["mcp-session-id"] for _ in range(3)]
        assert len(stubborn(site)) == 4
        lines = {"Mcp-Session-Id": sessions[0], "Accept": "text/event-stream"}
        assert (await client.get(site.gate.url("stubborn"), headers=lines)).status_code == 404


async def test_a_modern_client_that_leaves_cancels_its_call(site: Site) -> None:
    """Before a single header line has come, and under the number that the server knows."""
    async with httpx.AsyncClient(timeout=1) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(
                site.gate.url("silent"), json=tool_call("run", request_id="mine"),
                headers=call_headers("run"),
            )  # fmt: skip
    notes = site.gate.folder / "heard"

    async def is_told() -> bool:
        return "notifications/cancelled" in notes.read_text()

    await eventually(is_told)
    heard = [json.loads(line) for line in notes.read_text().splitlines()]
    assert [one["method"] for one in heard] == [
        "tools/list", "tools/call", "notifications/cancelled",
    ]  # fmt: skip
    assert heard[2]["params"] == {"requestId": heard[1]["id"]}


async def test_a_proxy_that_is_killed_leaves_no_server(site: Site) -> None:
    """The servers go with it, and a new proxy serves again."""
    async with httpx.AsyncClient(timeout=20) as client:
        await begin(site, client, "everything")
        found = site.gate.descendants().items()
        servers = {pid for pid, line in found if "server-everything" in line}
        assert servers
        site.gate.kill("tipstaff pep")
        await gone(servers)

        async def is_back() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return (await begin(site, client)).status_code == 200
            return False

        await eventually(is_back, 20)
