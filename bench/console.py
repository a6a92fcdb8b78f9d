"""`python -m bench.console`: what an open console costs, with a thousand pending approvals and 500 decisions a second.

Rounds with the pages open and without take turns; each is a bounded number of calls through the real proxy. Records are
counted against calls.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.load import request
from bench.processes import cpu_seconds
from pdp.api.v1 import types_pb2
from tests.browser import Browser, Tab, browser
from tests.console_rig import Site, console_before
from tests.gateway import Gateway, decisions, question
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

PENDING, EACH = 1000, 20
RATE, SECONDS, ROUNDS, LANES = 500, 6, 4, 8
RULES = {"default": "allow", "tools": {"remove": {"action": "require_approval"}}}
PAGES = ("/", "/decisions")


async def main() -> int:
    """Run it and print the figures; returns 1 when a record is missing."""
    with tempfile.TemporaryDirectory() as folder:
        async with asgi_upstream(Counting()) as url:
            gateway = Gateway(Path(folder), {"bench": url})
            gateway.rules("bench", RULES)
            async with console_before(gateway) as site, browser() as people:
                await _hold(site)
                return await _measure(site, people)


async def _hold(site: Site) -> None:
    """Fill the inbox."""
    async with decisions(site.tipstaff.address) as service:
        for number in range(PENDING):
            caller = types_pb2.Principal(id=f"token:agent-{number // EACH}", kind="token")
            asked = question(
                "bench", "remove", f"h{number}", principal=caller,
                arguments_json=b'{"number": %d, "path": "/srv/data/%d"}' % (number, number),
            )  # fmt: skip
            reply = await service.Decide(asked)
            if not reply.decision.approval.id:
                raise AssertionError(f"call {number} is not held: {reply.decision.reason}")


async def _measure(site: Site, people: Browser) -> int:
    tab = await people.tab("ana")
    await tab("go", url=f"{site.url}/login#t={await site.way_in()}")
    await tab("arrive", url=f"{site.url}/")
    await tab("close")
    costs: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    paints: dict[str, list[float]] = {path: [] for path in PAGES}
    made = 0
    await _load(site, 2)
    made += 2 * RATE
    for number in range(ROUNDS * 2):
        is_open = bool(number % 2)
        tabs = [await _first_paint(site, people, path, []) for path in PAGES] if is_open else []
        pids = [_pids(site.tipstaff, word) for word in ("tipstaff pep", "tipstaff pdp")]
        before = [cpu_seconds(each) for each in pids]
        loading = asyncio.ensure_future(_load(site, SECONDS))
        if is_open:
            await asyncio.sleep(1)
            await _paint(site, people, paints)
        calls = await loading
        made += calls
        used = [
            (cpu_seconds(each) - start) / calls * 1e6
            for each, start in zip(pids, before, strict=True)
        ]
        costs[is_open].append((used[0], used[1]))
        for tab in tabs:
            await tab("close")
    _print(costs, paints)
    recorded = sum(1 for each in site.tipstaff.records() if each["target"] == "echo")
    print(f"calls {made}, records {recorded}")
    return 0 if recorded == made else 1


async def _paint(site: Site, people: Browser, paints: dict[str, list[float]]) -> None:
    """Open the pages once more, while the calls go on."""
    for path in PAGES:
        await (await _first_paint(site, people, path, paints[path]))("close")


async def _first_paint(site: Site, people: Browser, path: str, paints: list[float]) -> Tab:
    tab = await people.tab("ana")
    await tab("go", url=site.url + path)
    await asyncio.sleep(1)
    paint = await tab("painted")
    if paint is not None:
        paints.append(float(paint))
    return tab


async def _load(site: Site, seconds: int) -> int:
    """Calls at a steady rate; returns how many."""
    calls = RATE * seconds
    queue: asyncio.Queue[int] = asyncio.Queue()
    workers = [asyncio.ensure_future(_lane(site, queue)) for _ in range(LANES)]
    began = time.perf_counter()
    for number in range(calls):
        late = began + number / RATE - time.perf_counter()
        if late > 0.002:
            await asyncio.sleep(late)
        queue.put_nowait(number)
    await queue.join()
    took = time.perf_counter() - began
    for worker in workers:
        worker.cancel()
    done = await asyncio.gather(*workers, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, asyncio.CancelledError):
            raise each
    print(f"  {calls} calls in {took:.1f} s", file=sys.stderr)
    return calls


async def _lane(site: Site, queue: asyncio.Queue[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.tipstaff.port)
    message = request("/bench/mcp", "echo", site.tipstaff.port)
    while True:
        await queue.get()
        writer.write(message)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if b"done" not in body:
            raise AssertionError(body[:200])
        queue.task_done()


def _pids(gateway: Gateway, word: str) -> tuple[int, ...]:
    return tuple(pid for pid, line in gateway.descendants().items() if word in line)


def _print(costs: dict[bool, list[tuple[float, float]]], paints: dict[str, list[float]]) -> None:
    rows: list[tuple[str, Any]] = []
    for index, name in enumerate(("proxy", "decision service")):
        closed, opened = (
            statistics.median(each[index] for each in costs[is_open]) for is_open in (False, True)
        )
        rows.append(
            (
                name,
                f"{closed:.0f} µs per call, {opened:.0f} with the pages open: {opened / closed:.3f}",
            )
        )
    for path, times in paints.items():
        rows.append(
            (
                f"first paint of {path}",
                f"{statistics.median(times):.0f} ms, at most {max(times):.0f} ms",
            )
        )
    for name, value in rows:
        print(f"{name:24} {value}")


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except httpx.HTTPError as error:
        sys.exit(str(error))
