"""Real clients of the SDK, in both eras, in front of a real server of the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError

from tests.gateway import Gateway, gateway
from tests.mcp_servers import sdk_server
from tests.proxy_rig import asgi_upstream

RULES = {
    "default": "deny",
    "tools": {
        "add": {
            "arguments": {"properties": {"left": {"maximum": 100}}},
            "rate_limit": {"max": 3, "window": 600},
        },
        "delete_everything": {"action": "deny", "reason": "Nothing is deleted here."},
        "hidden_tool": {"action": "hide"},
    },
}
MODES = ["legacy", "2026-07-28", "auto"]


class Site:
    """The gateway, and the server behind it."""

    def __init__(self, tipstaff: Gateway, server: Any) -> None:
        self.tipstaff = tipstaff
        self.server = server


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    server = sdk_server()
    async with (
        asgi_upstream(server.streamable_http_app()) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}) as tipstaff,
    ):
        yield Site(tipstaff, server)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_lists_calls_is_refused_and_goes_on(site: Site, mode: str) -> None:
    """The whole of what an agent sees, in one session."""
    async with Client(site.tipstaff.url("s"), mode=mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert "add" in names
        passed = await client.call_tool("add", {"left": 1, "right": 2})
        assert passed.structured_content == {"result": 3}
        denied = await client.call_tool("delete_everything", {"path": "/"})
        assert denied.is_error
        assert "Nothing is deleted here" in denied.content[0].text
        assert denied.meta is not None
        assert denied.meta["tipstaff/decision"]["code"] == "denied_by_rule"
        too_much = await client.call_tool("add", {"left": 101, "right": 2})
        assert too_much.is_error
        assert "left" in too_much.content[0].text
        assert (await client.call_tool("add", {"left": 2, "right": 2})).structured_content == {
            "result": 4
        }
    assert not site.server.ran
    era = "legacy" if mode == "legacy" else "modern"
    assert {one["protocol"]["era"] for one in site.tipstaff.judged()} == {era}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_hidden_tool_is_as_unknown_as_one_that_does_not_exist(
    site: Site, mode: str
) -> None:
    """Both are told that no rule permits the call; the records tell them apart."""
    async with Client(site.tipstaff.url("s"), mode=mode) as client:
        hidden, absent = [
            await client.call_tool(name, {}) for name in ("hidden_tool", "absent_tool")
        ]
    records = site.tipstaff.judged()
    assert [(one["effect"], one["reason"]["code"]) for one in records] == [
        ("deny", "hidden"), ("deny", "no_permit"),
    ]  # fmt: skip
    told = [
        answer.model_dump_json().replace(record["decision_id"], "ID")
        for answer, record in zip((hidden, absent), records, strict=True)
    ]
    assert told[0] == told[1]


async def test_where_everything_else_is_hidden_nobody_can_tell_either(tmp_path: Path) -> None:
    """And the words are those of the server itself, which never hears of it."""
    server = sdk_server()
    rules = {"default": "hide", "tools": {"add": {}, "hidden_tool": {"action": "hide"}}}
    async with (
        asgi_upstream(server.streamable_http_app()) as url,
        gateway(tmp_path, {"s": url}, {"s": rules}) as tipstaff,
        Client(tipstaff.url("s"), mode="2026-07-28") as client,
    ):
        told = []
        for name in ("hidden_tool", "absent_tool"):
            with pytest.raises(MCPError) as refused:
                await client.call_tool(name, {})
            told.append((refused.value.code, refused.value.message.replace(name, "NAME")))
    assert told == [(-32602, "Unknown tool: NAME")] * 2


async def test_legacy_sessions_count_for_themselves(site: Site) -> None:
    """A session is what the server gave out, and its raw id is in no record."""
    for _ in range(2):
        async with Client(site.tipstaff.url("s"), mode="legacy") as client:
            answers = [await client.call_tool("add", {"left": n, "right": 1}) for n in range(4)]
            assert [bool(one.is_error) for one in answers] == [False, False, False, True]
            assert "Try again in" in answers[3].content[0].text
    assert len({one["session"]["id"] for one in site.tipstaff.judged()}) == 2


async def test_cooperative_keys_count_for_themselves(site: Site) -> None:
    """The modern era has no sessions; a client may say which agent it speaks for."""
    async with Client(site.tipstaff.url("s"), mode="2026-07-28") as client:
        for key in ("a", "b"):
            answers = [
                await client.call_tool(
                    "add", {"left": n, "right": 1}, meta={"tipstaff/session": key}
                )
                for n in range(4)
            ]
            assert [bool(one.is_error) for one in answers] == [False, False, False, True]
    assert {one["session"]["kind"] for one in site.tipstaff.judged()} == {"cooperative"}


async def test_the_records_mask_secrets(site: Site) -> None:
    """By the name of the argument, and in the file as it lies on the disk."""
    async with Client(site.tipstaff.url("s"), mode="2026-07-28") as client:
        await client.call_tool("delete_everything", {"path": "/", "password": "hunter2"})
    (record,) = site.tipstaff.judged()
    assert record["arguments"] == {"path": "/", "password": "[masked]"}
    text = (site.tipstaff.folder / "state" / "decisions.jsonl").read_text()
    assert "hunter2" not in text
