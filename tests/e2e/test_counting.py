"""Whatever is admitted is forwarded and recorded, and nothing else is."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

import httpx

from tests.gateway import call_headers, gateway, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

CALLS = 2000
IN_FLIGHT = 32
RULES = {
    "default": "deny",
    "tools": {
        "read": {},
        "poll": {"rate_limit": {"max": 20, "window": 600}},
        "resize": {"arguments": {"properties": {"size": {"enum": ["s"]}}, "required": ["size"]}},
        "drop": {"action": "deny", "reason": "Never."},
        "restart": {"action": "require_approval"},
        "secret": {"action": "hide"},
    },
}
TOOLS = [*RULES["tools"], "unheard_of"]  # type: ignore[misc]


async def test_admitted_equals_forwarded_equals_recorded(tmp_path: Path) -> None:
    """2,000 mixed calls, 32 at a time; counted by the clients, at the server, in the records."""
    upstream, chance = Counting(), random.Random(5)
    calls = [
        (chance.choice(TOOLS), chance.choice("sl"), str(number % 7)) for number in range(CALLS)
    ]
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}, pep="hold_seconds = 0") as tipstaff,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        room = asyncio.Semaphore(IN_FLIGHT)

        async def call(number: int) -> bool:
            tool, size, key = calls[number]
            message = tool_call(tool, {"size": size, "number": number}, request_id=number, key=key)
            async with room:
                answer = await client.post(
                    tipstaff.url("s"), json=message, headers=call_headers(tool)
                )
            body = answer.json()
            assert body["id"] == number
            return "result" in body and not body["result"].get("isError")

        admitted = [
            number
            for number, passed in enumerate(await asyncio.gather(*map(call, range(CALLS))))
            if passed
        ]
    records = tipstaff.judged()
    forwarded = [json.loads(body)["params"]["arguments"]["number"] for body in upstream.bodies]
    recorded = [one["arguments"]["number"] for one in records if one["effect"] == "allow"]
    assert sorted(forwarded) == sorted(recorded) == admitted
    assert Counter(one["arguments"]["number"] for one in records) == Counter(range(CALLS))
    assert len({one["decision_id"] for one in records}) == CALLS
    assert {one["reason"]["code"] for one in records} == {
        "allowed", "rate_limited", "arguments_invalid", "denied_by_rule", "approval_required",
        "approval_overload", "hidden", "no_permit",
    }  # fmt: skip
    polled = Counter(calls[number][2] for number in admitted if calls[number][0] == "poll")
    assert polled == {str(session): 20 for session in range(7)}
