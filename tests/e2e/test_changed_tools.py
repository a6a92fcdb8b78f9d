"""A tool that is listed otherwise than it was accepted is closed until someone accepts it again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer

from pdp.api.definition import digest
from tests.gateway import MODERN, Gateway, eventually, gateway, processes
from tests.proxy_rig import META, asgi_upstream

MODES = ["legacy", MODERN]
OLD, NEW = "Reads one note.", "Reads every note."
# The server that `tipstaff wrap` starts: its tool's description is the second word on its command line.
SCRIPT = f"""
import sys
from tests.e2e.{Path(__file__).stem} import Notes
notes = Notes()
notes.describe(sys.argv[1])
notes.server.run("stdio")
"""


class Notes:
    """A real server of the SDK, one of whose descriptions can be changed; `ran` is what it has done."""

    def __init__(self) -> None:
        self.server = MCPServer("notes")
        self.ran: list[str] = []
        self.server.add_tool(self.read_note, description=OLD)
        self.server.add_tool(self.count_notes, description="Counts notes.")

    def read_note(self, name: str) -> str:
        self.ran.append("read_note")
        return f"note {name}"

    def count_notes(self) -> int:
        self.ran.append("count_notes")
        return 3

    def find_note(self, text: str) -> str:
        self.ran.append("find_note")
        return text

    def describe(self, text: str) -> None:
        self.server.remove_tool("read_note")
        self.server.add_tool(self.read_note, description=text)


class Site:
    """The gateway, and the server behind it."""

    def __init__(self, gate: Gateway, notes: Notes, upstream: str) -> None:
        self.gate = gate
        self.notes = notes
        self.upstream = upstream

    async def accept(self, when: str) -> None:
        """Write the catalogue from what the server lists now, as an operator who accepts it does."""
        self.gate.catalogue("s", await entries(self.upstream, when))

    def told(self) -> list[tuple[str, str, str, str]]:
        """What was recorded of tools that have changed."""
        return [
            (one["phase"], one["target"], one["effect"], one["rule"])
            for one in self.gate.judged()
            if one["reason"]["code"] == "tool_changed"
        ]


async def entries(upstream: str, when: str) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    lines = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/list",
    }
    async with httpx.AsyncClient() as client:
        answer = await client.post(upstream, json=message, headers=lines)
    tools = answer.json()["result"]["tools"]
    return {
        tool["name"]: {"digest": digest(tool), "accepted": when, "definition": tool}
        for tool in tools
    }


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    notes = Notes()
    async with asgi_upstream(notes.server.streamable_http_app(json_response=True)) as url:
        Gateway(tmp_path, {}).catalogue("s", await entries(url, "2026-11-24T22:00:00Z"))
        async with gateway(tmp_path, {"s": url}, {"s": {"default": "allow"}}) as gate:
            yield Site(gate, notes, url)


async def listed(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools}


async def code(client: Client, tool: str, **arguments: Any) -> str:
    """The reason's code of a call, "" when it passed."""
    answer = await client.call_tool(tool, arguments)
    if not answer.is_error:
        return ""
    assert answer.content[0].type == "text"
    assert "an operator must accept it" in answer.content[0].text
    assert answer.meta is not None
    return str(answer.meta["tipstaff/decision"]["code"])


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_whose_description_changes_by_a_word_is_closed_until_it_is_accepted(
    site: Site, mode: str
) -> None:
    """Not shown, not called, both on record; it stays so over a restart. No other tool is touched."""
    url, both = site.gate.url("s"), {"read_note", "count_notes"}
    async with Client(url, mode=mode) as client:
        assert await listed(client) == both
        assert await code(client, "read_note", name="a") == ""
        site.notes.describe(NEW)
        site.notes.server.add_tool(site.notes.find_note)
        assert await listed(client) == {"count_notes", "find_note"}
        assert await code(client, "read_note", name="a") == "tool_changed"
        assert await code(client, "count_notes") == await code(client, "find_note", text="x") == ""
        site.notes.describe(OLD)
        assert "read_note" not in await listed(client)
    assert site.notes.ran == ["read_note", "count_notes", "find_note"]
    rule = "mcp.rules.catalog.changed"
    look, call = ("list", "read_note", "deny", rule), ("call", "read_note", "deny", rule)
    assert site.told() == [look, call, look]
    assert sum("tool changed" in line for line in site.gate.log) == 1

    await killed(site.gate)
    await site.gate.start()
    async with Client(url, mode=mode) as client:
        assert await code(client, "read_note", name="a") == "tool_changed"
        assert await code(client, "count_notes") == ""

    site.notes.describe(NEW)
    before = await site.gate.revision()
    await site.accept("2026-11-25T08:00:00Z")
    await site.gate.wait_for_change(before)
    async with Client(url, mode=mode) as client:
        assert await listed(client) == {*both, "find_note"}
        assert await code(client, "read_note", name="b") == ""
        site.notes.describe(OLD)
        assert "read_note" not in await listed(client)


async def killed(gate: Gateway) -> None:
    """Nothing of it is asked to end."""
    assert gate.process is not None
    below = set(gate.descendants())
    gate.process.kill()
    await gate.process.wait()

    async def are_gone() -> bool:
        return not below & {pid for pid, _, _ in processes()}

    await eventually(are_gone)


async def test_the_old_definition_can_be_accepted_again(site: Site) -> None:
    """When the server has taken its change back."""
    async with Client(site.gate.url("s"), mode=MODERN) as client:
        site.notes.describe(NEW)
        assert "read_note" not in await listed(client)
        site.notes.describe(OLD)
        before = await site.gate.revision()
        await site.accept("2026-11-25T08:00:00Z")
        await site.gate.wait_for_change(before)
        assert "read_note" in await listed(client)
        assert await code(client, "read_note", name="a") == ""


@pytest.mark.parametrize("mode", MODES)
async def test_what_one_client_was_shown_holds_for_every_other(site: Site, mode: str) -> None:
    """Also for one that comes over stdio, and the other way round."""
    rules = {"default": "allow", "tools": {"read_note": {"action": "deny", "reason": "No."}}}
    async with Client(site.gate.url("s"), mode=mode) as client:
        assert await listed(client) == {"read_note", "count_notes"}
        async with Client(wrapped(site.gate, NEW), mode=mode) as other:
            assert await listed(other) == {"count_notes"}
            assert await code(other, "read_note", name="a") == "tool_changed"
            assert await code(other, "count_notes") == ""
        assert await code(client, "read_note", name="a") == "tool_changed"
        assert "read_note" not in site.notes.ran
        before = await site.gate.revision()
        site.gate.rules("s", rules)
        await site.gate.wait_for_change(before)
        assert "read_note" not in await listed(client), "what is denied besides would be shown"


def wrapped(gate: Gateway, description: str) -> StdioServerParameters:
    wrap = ["-m", "tipstaff", "wrap", "-c", str(gate.config), "s", "--"]
    return StdioServerParameters(
        command=sys.executable,
        args=[*wrap, sys.executable, "-c", SCRIPT, description],
        env=dict(os.environ),
    )


async def test_a_file_of_changed_tools_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Without it, what was closed would be open again."""
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"})
    gate.rules("s", {"default": "allow"})
    path = tmp_path / "state" / "changed.json"
    path.parent.mkdir(mode=0o700)
    path.write_text(json.dumps({"changed": [{"server": "s"}]})[:-3])
    with pytest.raises(AssertionError, match=r"cannot read .*changed\.json") as failed:
        await gate.start()
    assert "Traceback" not in str(failed.value)
