"""A limit admits exactly what it says, however many race for it, and whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import chain
from pathlib import Path

import grpc
import httpx
import pytest

from pdp.api.v1 import types_pb2
from tests.gateway import call_headers, decisions, eventually, gateway, question, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

RULES = {"tools": {"spend": {"rate_limit": {"max": 10, "window": 60}}}}
CLIENTS = 100


@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_a_hundred_racing_clients_are_admitted_exactly_ten_times(
    tmp_path: Path, store: str
) -> None:
    """One session, a connection for each client; counted by the clients, the server, the records."""
    upstream = Counting()
    settings = f'[limits]\nstore = "{store}"'
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"bank": url}, {"bank": RULES}, settings) as tipstaff,
    ):

        async def race(number: int) -> list[bool]:
            async with httpx.AsyncClient(timeout=30, verify=False) as client:
                answers = [
                    await client.post(
                        tipstaff.url("bank"),
                        json=tool_call("spend", {"n": number}, key="one"),
                        headers=call_headers("spend"),
                    )
                    for _ in range(2)
                ]
            return [one.json()["result"].get("isError", False) for one in answers]

        refused = list(chain.from_iterable(await asyncio.gather(*map(race, range(CLIENTS)))))
        records = tipstaff.judged()
    assert Counter(refused) == {False: 10, True: 190}
    assert upstream.names() == ["spend"] * 10
    assert Counter(record["reason"]["code"] for record in records) == {
        "allowed": 10,
        "rate_limited": 190,
    }


async def test_ten_are_admitted_though_the_decision_service_is_killed_meanwhile(
    tmp_path: Path,
) -> None:
    """Five races on SQLite, each with a SIGKILL at another moment; a lost answer is asked again."""
    settings = '[limits]\nstore = "sqlite"'
    moments = random.Random(8)
    async with gateway(tmp_path, {"bank": "http://127.0.0.1:9/mcp"}, {"bank": RULES}, settings) as (
        tipstaff
    ):
        for race in range(5):

            async def ask(number: int, race: int = race) -> bool:
                request = question("bank", "spend", f"{race}-{number}", session=f"race {race}")
                while True:
                    try:
                        async with decisions(tipstaff.address) as service:
                            reply = await service.Decide(request, timeout=5)
                        return bool(reply.decision.effect == types_pb2.EFFECT_ALLOW)
                    except grpc.aio.AioRpcError as error:
                        if error.code() is not grpc.StatusCode.UNAVAILABLE:
                            raise
                        await asyncio.sleep(0.05)

            racing = asyncio.gather(*map(ask, range(CLIENTS)))
            await asyncio.sleep(moments.uniform(0, 0.12))
            tipstaff.kill("tipstaff pdp")
            assert sum(await racing) == 10
            await eventually(lambda: _serves(tipstaff.revision))
    assert sum("service died" in line for line in tipstaff.log) == 5


async def test_through_the_proxy_a_kill_never_admits_an_eleventh(tmp_path: Path) -> None:
    """An answer lost on the way costs a unit, which is the safe side; it never gives one."""
    upstream = Counting()
    settings = '[limits]\nstore = "sqlite"'
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"bank": url}, {"bank": RULES}, settings) as tipstaff,
        httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=CLIENTS)) as client,
    ):

        async def call(_: int) -> bool:
            while True:
                answer = await client.post(
                    tipstaff.url("bank"),
                    json=tool_call("spend", key="one"),
                    headers=call_headers("spend"),
                )
                if answer.status_code == 200:
                    return not answer.json()["result"].get("isError", False)
                assert answer.status_code == 503
                await asyncio.sleep(0.05)

        calls = asyncio.gather(*map(call, range(CLIENTS)))
        await asyncio.sleep(0.03)
        tipstaff.kill("tipstaff pdp")
        admitted = sum(await calls)
        assert not await call(0)
    assert len(upstream.bodies) == admitted
    assert 1 <= admitted <= 10


async def _serves(revision: object) -> bool:
    return bool(await revision())  # type: ignore[operator]
