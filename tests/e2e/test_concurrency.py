"""A limit of concurrency: so many calls under way at a time, each freed when its answer has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway, call_headers, eventually, gateway, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

LIMIT = {"algorithm": "concurrency", "max": 3, "window": 600, "scope": "server"}
RULES = {"tools": {"render": {"rate_limit": LIMIT}}}


class Slow(Counting):
    """Answers when it is told to, and knows how many wait."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.under_way = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
            await super().__call__(scope, receive, send)
        finally:
            self.under_way -= 1


@pytest.fixture
def upstream() -> Slow:
    return Slow()


@pytest.fixture
async def tipstaff(upstream: Slow, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with asgi_upstream(upstream) as url, gateway(tmp_path, {"s": url}, {"s": RULES}) as one:
        yield one
        upstream.go.set()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, verify=False) as one:
        yield one


async def admitted(client: httpx.AsyncClient, tipstaff: Gateway) -> bool:
    answer = await client.post(
        tipstaff.url("s"), json=tool_call("render"), headers=call_headers("render")
    )
    return not answer.json()["result"].get("isError", False)


async def test_no_more_than_three_are_ever_under_way(
    upstream: Slow, tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """The fourth is refused at once, and told to come again soon; later ones pass."""
    first = [asyncio.ensure_future(admitted(client, tipstaff)) for _ in range(3)]
    await eventually(lambda: _are_under_way(upstream, 3))
    assert not await admitted(client, tipstaff)
    assert tipstaff.judged()[-1]["limits"][0]["retry_after_ms"] == 1000
    upstream.go.set()
    assert all(await asyncio.gather(*first))
    await eventually(lambda: admitted(client, tipstaff))
    for _ in range(20):
        await asyncio.gather(*(admitted(client, tipstaff) for _ in range(8)))
    assert upstream.most <= 3


async def test_a_client_that_leaves_frees_its_place(
    upstream: Slow, tipstaff: Gateway, client: httpx.AsyncClient
) -> None:
    """Its call has ended, though the server never answered."""
    leaving = [asyncio.ensure_future(admitted(client, tipstaff)) for _ in range(3)]
    await eventually(lambda: _are_under_way(upstream, 3))
    for one in leaving:
        one.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    upstream.go.set()
    await eventually(lambda: admitted(client, tipstaff))


async def _are_under_way(upstream: Slow, count: int) -> bool:
    return upstream.under_way == count
