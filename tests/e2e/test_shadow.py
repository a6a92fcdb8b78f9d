"""A server in shadow: every call reaches it, and the record says what the rules would have done."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer

from pdp.api.definition import digest
from tests.gateway import MODERN, Gateway, gateway
from tests.proxy_rig import asgi_upstream

RULES: dict[str, Any] = {
    "shadow": True,
    "default": "deny",
    "tools": {
        "drop": {"action": "deny", "reason": "Never."},
        "secret": {"action": "hide"},
        "restart": {"action": "require_approval", "reason": "Ask first."},
        "poll": {"rate_limit": {"max": 1, "window": 600}},
        "pay": {"arguments": {"properties": {"amount": {"maximum": 100}}}},
    },
    "limits": [{"name": "everything", "scope": "principal", "max": 100, "window": 600}],
    "initialize": {"max": 100, "window": 600},
}
TOOLS = {"drop", "secret", "restart", "poll", "pay", "unruled", "odd"}
SITE = """\
package site.mine

# METADATA
# custom:
#   code: closed
deny contains {"code": "closed", "message": "The site says no."} if input.target == "odd"
"""
Findings = list[tuple[str, str, str]]


class Till:
    """A real server of the SDK; `ran` is what it has done."""

    def __init__(self) -> None:
        self.server = MCPServer("till")
        self.ran: list[str] = []
        for name in sorted(TOOLS):
            self.server.add_tool(self._tool(name), name=name, description=name)

    def describe(self, name: str, text: str) -> None:
        """Change what the server says of a tool."""
        self.server.remove_tool(name)
        self.server.add_tool(self._tool(name), name=name, description=text)

    def _tool(self, name: str) -> Any:
        def run(amount: int = 0) -> str:
            self.ran.append(name)
            return "done"

        return run


class Site:
    """The gateway, and the server behind it."""

    def __init__(self, gate: Gateway, till: Till) -> None:
        self.gate = gate
        self.till = till

    @contextlib.asynccontextmanager
    async def client(self, mode: str = MODERN) -> AsyncIterator[Client]:
        async with Client(self.gate.url("till"), mode=mode) as one:
            yield one

    def findings(self) -> list[tuple[str, str, Findings]]:
        """Of each tool call that was recorded: the tool, the effect, what the rules would have done."""
        return [
            (
                one["target"],
                one["effect"],
                [
                    (found["effect"], found["reason"]["code"], found["rule"])
                    for found in one.get("shadow", ())
                ],
            )
            for one in self.gate.judged()
            if one["phase"] == "call"
        ]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    till = Till()
    path = tmp_path / "policy" / "site" / "mine" / "mine.rego"
    path.parent.mkdir(parents=True)
    path.write_text(SITE)
    async with (
        asgi_upstream(till.server.streamable_http_app(json_response=True)) as url,
        gateway(tmp_path, {"till": url}, {"till": RULES}, pep="hold_seconds = 0") as gate,
    ):
        yield Site(gate, till)


async def code(client: Client, tool: str, **arguments: Any) -> str:
    """The reason's code of a call, "" when it passed."""
    answer = await client.call_tool(tool, arguments)
    return str((answer.meta or {})["tipstaff/decision"]["code"]) if answer.is_error else ""


async def listed(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools}


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_whatever_the_rules_would_refuse_reaches_the_server_and_is_on_record(
    site: Site, mode: str
) -> None:
    """Denied, hidden, held, over the limit, against the schema, and without a rule."""
    calls = [("drop", 0), ("secret", 0), ("restart", 0), ("poll", 0), ("poll", 0), ("pay", 101)]
    calls += [("pay", 100), ("unruled", 0)]
    async with site.client(mode) as client:
        assert await listed(client) == TOOLS
        for tool, amount in calls:
            assert await code(client, tool, amount=amount) == "", tool
    assert site.till.ran == [tool for tool, _ in calls]
    rule = "servers.till.tools"
    assert site.findings() == [
        ("drop", "allow", [("deny", "denied_by_rule", f"{rule}.drop")]),
        ("secret", "allow", [("deny", "hidden", f"{rule}.secret")]),
        ("restart", "allow", [("hold", "approval_required", f"{rule}.restart")]),
        ("poll", "allow", []),
        ("poll", "allow", [("deny", "rate_limited", f"{rule}.poll")]),
        ("pay", "allow", [("deny", "arguments_invalid", f"{rule}.pay")]),
        ("pay", "allow", []),
        ("unruled", "allow", [("deny", "no_permit", "servers.till.default")]),
    ]
    records = site.gate.judged()
    assert {one["rule"] for one in records} == {"servers.till.shadow"}
    assert all(limit["shadow"] for one in records for limit in one["limits"])


async def test_what_is_not_a_rule_of_the_server_is_enforced(site: Site) -> None:
    """The site's own Rego, and a tool that is listed otherwise than it was accepted."""
    async with site.client() as client:
        assert await code(client, "odd") == "closed"
        tools = (await client.list_tools(cache_mode="bypass")).tools
        entries = {
            tool.name: {"digest": digest(told), "accepted": "2026-11-24T22:00:00Z"}
            for tool in tools
            for told in [tool.model_dump(mode="json", by_alias=True, exclude_none=True)]
        }
        before = await site.gate.revision()
        site.gate.catalogue("till", entries)
        await site.gate.wait_for_change(before)
        assert await listed(client) == TOOLS
        site.till.describe("poll", "Polls, and tells everybody.")
        assert await listed(client) == TOOLS - {"poll"}
        assert await code(client, "poll") == "tool_changed"
        assert await code(client, "drop") == ""
    assert site.till.ran == ["drop"]


async def test_without_the_line_the_same_rules_are_enforced_at_once(site: Site) -> None:
    """And what was counted in shadow is forgotten: the limits begin anew."""
    async with site.client() as client:
        assert [await code(client, "poll") for _ in range(2)] == ["", ""]
        before = await site.gate.revision()
        site.gate.rules("till", {**RULES, "shadow": False})
        await site.gate.wait_for_change(before)
        assert await listed(client) == TOOLS - {"secret"}
        refused = [await code(client, tool) for tool in ("drop", "restart", "unruled")]
        assert refused == ["denied_by_rule", "approval_pending", "no_permit"]
        assert await code(client, "pay", amount=101) == "arguments_invalid"
        assert [await code(client, "poll") for _ in range(2)] == ["", "rate_limited"]
    assert site.till.ran == ["poll"] * 3
