"""Hostile callers, with everything that is large: memory stays bounded, and honest callers are served."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from tests.gateway import META, Gateway, call_headers, gateway, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

RULES = {
    "default": "deny",
    "tools": {"read": {}, "drop": {"action": "deny"}},
    "resources": {f"file:///srv/{area}/*": {} for area in ("a", "b", "c")},
}
MOST_MEGABYTES = 300
MIB = 1024 * 1024
SECONDS = 90


def peaks(tipstaff: Gateway) -> dict[str, int]:
    """The most memory that each process has had, in megabytes."""
    found = {}
    for pid, command in tipstaff.descendants().items():
        status = Path(f"/proc/{pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        assert peak is not None
        name = re.search(r"tipstaff (\w+)|opa-", command)
        assert name is not None, command
        found[name[0]] = int(peak[1]) // 1024
    return found


def raw_call(tool: str, arguments: bytes) -> bytes:
    head = json.dumps({"name": tool, "_meta": META}).encode()[:-1]
    return (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
        + head
        + b',"arguments":'
        + arguments
        + b"}}"
    )


def filled(size: int) -> bytes:
    return b'{"text":"' + b"x" * size + b'"}'


def of_values(count: int) -> bytes:
    return b'{"v":{' + b",".join(b'"k%d":"%d"' % (n, n) for n in range(count)) + b"}}"


class Hostile:
    """One caller, known by its address, and what it sends."""

    def __init__(self, url: str, address: str) -> None:
        self._url = url
        transport = httpx.AsyncHTTPTransport(local_address=address, verify=False)
        self.client = httpx.AsyncClient(timeout=60, transport=transport)
        self.statuses: list[int] = []

    async def send(self, body: bytes, tool: str = "read", **lines: str) -> None:
        answer = await self.client.post(self._url, content=body, headers=call_headers(tool) | lines)
        self.statuses.append(answer.status_code)

    async def many(self, times: int, at_once: int, sent: Callable[[], Awaitable[None]]) -> None:
        room = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with room:
                await sent()

        await asyncio.gather(*(one() for _ in range(times)))

    async def attack(self) -> None:
        """All of it, one after another."""
        large = raw_call("drop", filled(3_670_000))
        await self.many(30, 4, lambda: self.send(large, "drop"))
        largest = raw_call("read", filled(4 * MIB - 1000))
        await self.many(8, 8, lambda: self.send(largest))
        busy = raw_call("read", of_values(90_000))
        await self.many(4, 4, lambda: self.send(busy))
        await self.many(4, 4, lambda: self.send(raw_call("read", of_values(200_000))))
        await self.send(raw_call("read", b'{"a":' * 500_000 + b"1" + b"}" * 500_000))
        packed = gzip.compress(raw_call("drop", filled(4 * MIB - 1000)))
        await self.many(4, 4, lambda: self.send(packed, "drop", **{"Content-Encoding": "gzip"}))
        uris = [f"file:///srv/a/{number}" for number in range(30_000)]
        notifications = {"resourceSubscriptions": uris}
        params: dict[str, Any] = {"notifications": notifications, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
        headers = call_headers("x") | {"Mcp-Method": "subscriptions/listen"}
        del headers["Mcp-Name"]
        answer = await self.client.post(self._url, json=message, headers=headers)
        assert answer.status_code == 400
        await self.client.aclose()


async def test_memory_stays_bounded_and_honest_callers_are_served_whatever_is_sent(
    tmp_path: Path,
) -> None:
    """Two hostile callers send all they may at once; every call of an honest one is answered."""
    upstream = Counting()
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}) as tipstaff,
        httpx.AsyncClient(timeout=30, verify=False) as honest,
    ):
        hostile = [Hostile(tipstaff.url("s"), address) for address in ("127.0.0.2", "127.0.0.3")]
        attacks = [asyncio.ensure_future(one.attack()) for one in hostile]
        took = []
        async with asyncio.timeout(SECONDS):
            for number in itertools.count():
                if all(attack.done() for attack in attacks):
                    break
                began = time.monotonic()
                message = tool_call("read", {"number": number}, request_id=number)
                answer = await honest.post(
                    tipstaff.url("s"), json=message, headers=call_headers("read")
                )
                assert answer.status_code == 200, answer.text
                assert "isError" not in answer.text, answer.text
                took.append(time.monotonic() - began)
                await asyncio.sleep(0.01)
        await asyncio.gather(*attacks)
        found = peaks(tipstaff)
        assert len(found) == 3
        assert {name: peak for name, peak in found.items() if peak > MOST_MEGABYTES} == {}
        assert sorted(took)[len(took) * 95 // 100] < 1
        for one in hostile:
            assert set(one.statuses) <= {200, 400, 429, 503}
