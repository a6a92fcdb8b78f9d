"""What becomes of a call's cost, of memory and of streams as things grow."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import gateways, proxies, wrk
from bench.gateways import RULES, Site
from bench.lanes import Lane, measure
from bench.load import message
from bench.processes import cpu_seconds, resident_mib

MIB = 1024 * 1024
_LISTS = (10, 1000, 10_000)
_EVENTS = (200, 2000, 60_000)
_STREAM = 100_000_000
Row = dict[str, str | float]
_RANDOM = "math.randomseed(os.time())\nrequest = function() return wrk.format(nil, %s) end"
_NAMED = """math.randomseed(os.time())
request = function()
  local name = "tool_" .. math.random(0, %d)
  wrk.headers["mcp-name"] = name
  return wrk.format(nil, nil, nil, (text:gsub('"echo"', '"' .. name .. '"', 1)))
end"""
_SESSIONS = """math.randomseed(os.time())
request = function()
  wrk.headers["tipstaff-session"] = "s" .. math.random(1, %d)
  return wrk.format()
end"""


def rows(folder: Path, seconds: int, calls: int) -> Iterator[Row]:
    """Every row, as soon as it is measured; `calls` are made for the memory over many calls."""
    with ExitStack() as stack:
        upstream = proxies.upstream(stack)
        yield from _tools(folder, upstream, seconds)
        yield from _servers(folder, upstream, seconds)
        servers = {"bench": "/mcp"}
        servers |= {f"list{count}": f"/mcp?tools={count}" for count in _LISTS}
        servers |= {f"stream{each}": f"/events?bytes={_STREAM}&each={each}" for each in _EVENTS}
        home = folder / "one"
        gateways.write_rules(home, servers=servers)
        site = gateways.start(home, upstream, stack, servers=servers)
        for count in (1, 100, 10_000):
            script = wrk.script(folder / "sessions.lua", more=_SESSIONS % count)
            yield {"what": f"{count:,} sessions", **_cost(site, site.url(), script, seconds)}
        yield from _arguments(site)
        yield from _lists(site)
        yield from _streams(site)
        yield from _memory(folder, site, calls)


def _tools(folder: Path, upstream: int, seconds: int) -> Iterator[Row]:
    """Tools with a rule of their own; calls name one at random."""
    for count in (10, 1000, 10_000):
        home = folder / f"tools{count}"
        rules = RULES + "".join(f"  tool_{number}: {{}}\n" for number in range(count))
        gateways.write_rules(home, rules)
        with ExitStack() as stack:
            site = gateways.start(home, upstream, stack)
            script = wrk.script(folder / "tools.lua", more=_NAMED % (count - 1))
            # As long as it takes until nearly each tool has been called once.
            cost = _cost(site, site.url(), script, seconds, warm=1 + count // 400)
            yield {"what": f"{count:,} tools", **cost}


def _servers(folder: Path, upstream: int, seconds: int) -> Iterator[Row]:
    """Servers behind one gateway; calls go to one at random."""
    for count in (1, 100):
        home = folder / f"servers{count}"
        names = {f"s{number}": "/mcp" for number in range(count)}
        gateways.write_rules(home, servers=names)
        with ExitStack() as stack:
            site = gateways.start(home, upstream, stack, servers=names)
            path = f'"/s" .. math.random(0, {count - 1}) .. "/mcp"'
            script = wrk.script(folder / "servers.lua", more=_RANDOM % path)
            yield {"what": f"{count} servers", **_cost(site, site.url("s0"), script, seconds)}


def _cost(site: Site, url: str, script: Path, seconds: int, warm: int = 1) -> Row:
    """Rate, latency and CPU at 16 calls in flight, after `warm` seconds of them."""
    lane = Lane("growth", partial(wrk.run, url, script, 16), site.pids, site.records)
    measure(lane, warm)
    figures = measure(lane, seconds)
    return {name: figures[name] for name in ("rate", "p50", "p99", "cpu")}


def _arguments(site: Site) -> Iterator[Row]:
    """Calls one after the other, with arguments of growing size."""
    for size in (1024, 10 * 1024, 100 * 1024, MIB):
        arguments = {**wrk.ARGUMENTS, "rest": {"text": "x" * size}}
        body = message("echo", arguments).encode()
        cost = _one_by_one(site, [body] * (200 if size < MIB else 50))
        yield {"what": f"arguments of {size // 1024:,} KB", **cost}


def _one_by_one(site: Site, bodies: Sequence[bytes]) -> Row:
    """Calls over one connection; raises for an answer that is none."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    before, times = cpu_seconds(site.pids.values()), []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", "/bench/mcp", body, _headers("tools/call", "echo"))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or b'"ok"' not in text:
            raise SystemExit(f"growth: {answer.status} {text[:200]!r}")
        times.append(time.perf_counter() - began)
    spent = cpu_seconds(site.pids.values()) - before
    return {"p50": statistics.median(times) * 1e3, "cpu": spent / len(bodies) * 1e6}


def _headers(method: str, name: str = "") -> dict[str, str]:
    lines = {
        "content-type": "application/json", "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28", "mcp-method": method,
    }  # fmt: skip
    return {**lines, "mcp-name": name} if name else lines


def _call(site: Site, server: str, method: str, name: str = "") -> tuple[bytes, float, float]:
    """One call: its answer, the seconds and the CPU seconds that it took."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    before, began = cpu_seconds(site.pids.values()), time.perf_counter()
    parameters = json.loads(message(name or "echo", wrk.ARGUMENTS))["params"]
    if not name:
        parameters = {"_meta": parameters["_meta"]}
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    connection.request("POST", f"/{server}/mcp", json.dumps(call).encode(), _headers(method, name))
    text = connection.getresponse().read()
    return text, time.perf_counter() - began, cpu_seconds(site.pids.values()) - before


def _lists(site: Site) -> Iterator[Row]:
    """Lists of tools, each of which is judged: the second time, when what rules say of each is known."""
    for count in _LISTS:
        for time_ in ("first", "second"):
            text, took, spent = _call(site, f"list{count}", "tools/list")
            if text.count(b'"inputSchema"') != count:
                raise SystemExit(f"growth: no list of {count} tools: {text[:200]!r}")
            yield {
                "what": f"a list of {count:,} tools, the {time_} time",
                "p50": took * 1e3,
                "cpu": spent * 1e6,
            }


def _streams(site: Site) -> Iterator[Row]:
    """A stream of events as the answer to a call."""
    for each in _EVENTS:
        text, took, spent = _call(site, f"stream{each}", "tools/call", "echo")
        if len(text) < _STREAM * 0.99:
            raise SystemExit(f"growth: {len(text)} bytes of a stream: {text[:200]!r}")
        what = f"a stream of 100 MB in events of {each:,} bytes"
        yield {
            "what": what,
            "MB/s": _STREAM / took / 1e6,
            "MB per CPU second": _STREAM / spent / 1e6,
        }


def _memory(folder: Path, site: Site, calls: int) -> Iterator[Row]:
    """Memory before and after a thousand calls of 1 MB, and after very many of 10,000 sessions."""
    script = wrk.script(folder / "sessions.lua", more=_SESSIONS % 10_000)
    wrk.run(site.url(), script, 16, 2)
    before = _resident(site)
    body = message("echo", {**wrk.ARGUMENTS, "rest": {"text": "x" * MIB}}).encode()
    _one_by_one(site, [body] * 1000)
    after = _resident(site)
    yield {"what": "1,000 calls of 1 MB: MiB more", **_more(before, after)}
    made = 0.0
    while made < calls:
        made += wrk.run(site.url(), script, 32, 20)["calls"]
        yield {
            "what": f"MiB more after {made:,.0f} calls of 10,000 sessions",
            **_more(after, _resident(site)),
        }


def _resident(site: Site) -> dict[str, float]:
    return {name: resident_mib(pid) for name, pid in site.pids.items() if name != "parent"}


def _more(before: dict[str, float], after: dict[str, float]) -> Row:
    return {name: after[name] - before[name] for name in before}
