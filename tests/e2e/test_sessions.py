"""Who would count by a session that the caller can mint is told how often all of them may call."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway, call_headers, gateway, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

RULES = {
    "tools": {"read": {"rate_limit": {"max": 2, "window": 600}}},
    "initialize": {"max": 25, "window": 600},
}
LEGACY = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-11-25",
}


class Sessions(Counting):
    """Gives every client that begins a session of its own."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_session(message: Any) -> None:
            if message["type"] == "http.response.start" and b"initialize" in self.bodies[-1]:
                message["headers"].append((b"mcp-session-id", b"s-%d" % len(self.bodies)))
            await send(message)

        await super().__call__(scope, receive, with_session)


@pytest.fixture
def upstream() -> Sessions:
    return Sessions()


@pytest.fixture
async def tipstaff(upstream: Sessions, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}) as one,
    ):
        yield one


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, verify=False) as one:
        yield one


def legacy(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


BEGIN = legacy(
    "initialize", protocolVersion="2025-11-25", capabilities={},
    clientInfo={"name": "t", "version": "1"},
)  # fmt: skip


async def admitted(
    client: httpx.AsyncClient, tipstaff: Gateway, *, headers: dict[str, str], message: Any
) -> bool:
    answer = (await client.post(tipstaff.url("s"), json=message, headers=headers)).json()
    return "result" in answer and not answer["result"].get("isError", False)


async def test_to_begin_again_before_every_call_ends_at_the_callers_limit(
    tipstaff: Gateway, upstream: Sessions, client: httpx.AsyncClient
) -> None:
    """Ten times the limit of one session, in all; and to begin is limited itself."""
    found: Counter[tuple[str, bool]] = Counter()
    for _ in range(30):
        begun = await client.post(tipstaff.url("s"), json=BEGIN, headers=LEGACY)
        session = begun.headers.get("mcp-session-id")
        found["begun", session is not None] += 1
        if session is not None:
            call = legacy("tools/call", name="read", arguments={})
            headers = LEGACY | {"Mcp-Session-Id": session}
            found["called", await admitted(client, tipstaff, headers=headers, message=call)] += 1
    assert found == {
        ("begun", True): 25, ("begun", False): 5, ("called", True): 20, ("called", False): 5,
    }  # fmt: skip
    assert sum(b"tools/call" in body for body in upstream.bodies) == 20
    assert {one["session"]["kind"] for one in tipstaff.judged()} == {"legacy"}


async def test_to_invent_a_key_for_every_call_ends_there_too(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """A key only ever divides what its caller may do."""
    passed = [
        await admitted(
            client, tipstaff, headers=call_headers("read"), message=tool_call("read", key=f"k{n}")
        )
        for n in range(25)
    ]
    assert passed == [True] * 20 + [False] * 5
    last = tipstaff.judged()[-1]
    assert last["session"] == {"id": "k24", "kind": "cooperative"}
    failed = [limit["name"] for limit in last["limits"] if not limit["passed"]]
    assert failed == ["s/read (caller total)"]


async def test_a_client_without_a_session_is_counted_by_who_it_is(
    tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """The modern era has no sessions: two calls, whatever connection they come on."""
    passed = []
    for _ in range(4):
        async with httpx.AsyncClient(timeout=30, verify=False) as fresh:
            passed.append(
                await admitted(
                    fresh, tipstaff, headers=call_headers("read"), message=tool_call("read")
                )
            )
    assert passed == [True, True, False, False]
    assert {one["session"]["kind"] for one in tipstaff.judged()} == {"principal"}
