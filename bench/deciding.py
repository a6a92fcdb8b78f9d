"""Load on deciders that no ready-made tool makes: `python -m bench.deciding stream|opa ADDRESS SECONDS known|asked`.

`stream` is the proxy's own client, 64 calls in flight; `opa` asks OPA over its socket with aiohttp, one call a query, as a
program without Tipstaff would. Prints one line of JSON: decisions, seconds, p50 and p99 in µs, how many were wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp

from bench.wrk import ARGUMENTS, question
from pdp.api.model import Call, Client, Effect, Principal, Protocol, Session
from pep.judge.decision_client import DecisionClient

IN_FLIGHT = 64
_arguments = json.dumps(ARGUMENTS).encode()


async def load(ask: Callable[[int], Awaitable[bool]], seconds: float) -> None:
    """Ask without pause, `IN_FLIGHT` at a time."""
    numbers, times, wrong = itertools.count(), [], 0
    end = time.perf_counter() + seconds

    async def one_after_the_other() -> None:
        nonlocal wrong
        while (began := time.perf_counter()) < end:
            wrong += not await ask(next(numbers))
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(IN_FLIGHT)))
    took = time.perf_counter() - began
    times.sort()
    figures = {
        "calls": len(times), "seconds": took, "bad": wrong,
        "p50": times[len(times) // 2] * 1e6, "p99": times[len(times) * 99 // 100] * 1e6,
    }  # fmt: skip
    print(json.dumps(figures))


def _call(number: int, version: str) -> Call:
    return Call(
        request_id=f"r{time.monotonic_ns()}-{number}", server="bench", method="tools/call", target="echo",
        arguments=_arguments, principal=Principal("anonymous:127.0.0.1", "anonymous"),
        session=Session("s", "cooperative"), client=Client("bench", version),
        protocol=Protocol("modern", "2026-07-28"), transport="grpc",
    )  # fmt: skip


async def stream(address: str, seconds: float, *, is_asked: bool) -> None:
    """Load the decision service as the proxy does."""
    client = DecisionClient(address, 10_000)
    running = asyncio.ensure_future(client.run())
    await client.wait_connected(10)

    async def ask(number: int) -> bool:
        decision = await client.decide(_call(number, str(number + 1) if is_asked else "1"))
        return decision.effect is Effect.ALLOW

    await load(ask, seconds)
    running.cancel()
    await client.close()


async def opa(url: str, seconds: float) -> None:
    """Load OPA."""
    body = json.dumps({"input": {"calls": [question()]}}).encode()
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(_: int) -> bool:
            async with session.post(url, data=body) as response:
                return b'"effect":"allow"' in await response.read()

        await load(ask, seconds)


if __name__ == "__main__":
    import uvloop

    _, way, where, how_long, kind = sys.argv
    if way == "stream":
        uvloop.run(stream(where, float(how_long), is_asked=kind == "asked"))
    else:
        uvloop.run(opa(where, float(how_long)))
