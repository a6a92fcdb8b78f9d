"""Compares checkouts of Tipstaff, interleaved in one run: rate, latency, and CPU per call of each process.

    python -m bench.compare . ../other-checkout

Each checkout needs `make dev` first. The load is made by wrk, in rounds of random order; a round in which
the records are fewer than the calls, or an answer is not the expected one, ends the run. Ratios count:
absolute figures are of this machine at this hour.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from bench.lanes import cpu_seconds, descendants, free_port, nginx, spawn, wait_for

CONFIG = """state_dir = "state"
[pep]
listen = "127.0.0.1:{port}"
[limits]
store = "sqlite"
"""
SERVER = """[servers.bench]
url = "http://127.0.0.1:{upstream}/mcp"
"""
RULES = """default: deny
tools:
  echo:
    arguments: {type: object, properties: {broker_id: {type: string, pattern: "^b-"}}, required: [broker_id]}
    rate_limit: {algorithm: gcra, max: 1000000, window: 1}
  remove: {action: deny, reason: Nothing is removed here.}
"""
SITE = """package site.amounts

deny contains {"code": "too_many", "message": "at least 0"} if input.arguments.count < 0
"""
WRK = """
local text = %s
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["accept"] = "application/json, text/event-stream"
wrk.headers["mcp-protocol-version"] = "2026-07-28"
wrk.headers["mcp-method"] = "tools/call"
wrk.headers["mcp-name"] = "%s"
wrk.body = text
%s
done = function(summary, latency, requests)
  io.write(string.format('{"calls": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "bad": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    summary.errors.status + summary.errors.read + summary.errors.timeout + summary.errors.connect))
end
"""
# Every call differs in an argument that the site's rule reads.
VARIED = """
local number = math.floor(os.time() % 100000) * 1000000
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, (text:gsub('"count": 3', '"count": ' .. number, 1)))
end
"""
IN_FLIGHT = (1, 16, 64)
KINDS = ("allow", "deny", "varied")


class Gateway(Struct, frozen=True):
    """One gateway that runs: its name, its address, its processes by name, and its records."""

    name: str
    url: str
    pids: dict[str, int]
    records: Path | None = None


def main() -> None:
    """Run the comparison and print its tables."""
    parser = argparse.ArgumentParser(prog="bench.compare", description=__doc__)
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument(
        "--site", action="store_true", help="with one rule in Rego that reads an argument"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    figures: dict[tuple[str, str, int], list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder, ExitStack() as stack:
        gateways = _start(given.checkouts, Path(folder), stack, with_site=given.site)
        lanes = [
            (gateway, kind)
            for gateway in gateways
            for kind in (KINDS if gateway.records else KINDS[:1])
        ]
        scripts = _scripts(Path(folder))
        for gateway, kind in lanes:
            _measure(gateway, scripts[kind], 16, 2)  # warm up
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds} …", flush=True)
            for in_flight in IN_FLIGHT:
                for gateway, kind in random.sample(lanes, len(lanes)):
                    figures[kind, gateway.name, in_flight].append(
                        _measure(gateway, scripts[kind], in_flight, given.seconds)
                    )
    report(figures)
    if given.json:
        rows = [
            {"kind": k, "gateway": g, "in_flight": n, **_medians(v)}
            for (k, g, n), v in figures.items()
        ]
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def report(figures: dict[tuple[str, str, int], list[dict[str, float]]]) -> None:
    """Print medians: rate, latency, CPU of each process; the build of Python decides much of them."""
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "optimised" if "--enable-optimizations" in flags else "not optimised"
    print(
        f"\nPython {sys.version.split()[0]}, {optimised}; µs of CPU per call: all (proxy/service/OPA)"
    )
    print(f"{'':34}" + "".join(f"{count:>34} in flight" for count in IN_FLIGHT))
    for kind, name in dict.fromkeys((kind, name) for kind, name, _ in figures):
        cells = []
        for in_flight in IN_FLIGHT:
            each = _medians(figures[kind, name, in_flight])
            parts = "/".join(
                f"{each[part]:.0f}" for part in ("proxy", "service", "opa") if part in each
            )
            cells.append(
                f"{each['rate']:7.0f}/s {each['p50']:6.2f} {each['p99']:6.2f} ms {each['cpu']:5.0f} ({parts})"
            )
        print(f"{kind:7}{name[-26:]:27}" + "".join(f"{cell:>44}" for cell in cells))


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def _start(
    checkouts: list[Path], folder: Path, stack: ExitStack, *, with_site: bool
) -> list[Gateway]:
    upstream = free_port()
    spawn([sys.executable, "-m", "bench.upstream", str(upstream)], stack)
    wait_for(upstream)
    gateways = []
    if shutil.which("nginx"):
        port, pid = nginx(folder, upstream, stack)
        gateways.append(Gateway("nginx", f"http://127.0.0.1:{port}/mcp", {"nginx": pid}))
    for number, checkout in enumerate(checkouts):
        port, home = free_port(), folder / f"home{number}"
        rules = home / "policy" / "servers" / "bench" / "data.yaml"
        rules.parent.mkdir(parents=True)
        rules.write_text(RULES)
        if with_site:
            site = home / "policy" / "site" / "amounts"
            site.mkdir(parents=True)
            (site / "amounts.rego").write_text(SITE)
        text = CONFIG.format(port=port) + SERVER.format(upstream=upstream)
        (home / "tipstaff.toml").write_text(text)
        command = [str(checkout.resolve() / ".venv" / "bin" / "python"), "-m", "tipstaff", "up"]
        process = spawn([*command, "--config", str(home / "tipstaff.toml")], stack, cwd=checkout)
        wait_for(port)
        pids = {_kind(pid): pid for pid in (process.pid, *descendants(process.pid))}
        records = home / "state" / "decisions.jsonl"
        gateways.append(Gateway(str(checkout), f"http://127.0.0.1:{port}/bench/mcp", pids, records))
    return gateways


def _kind(pid: int) -> str:
    """What the process is, by its command line."""
    words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    for name, sign in (("opa", "opa run"), ("proxy", " pep"), ("service", " pdp")):
        if sign in words:
            return name
    return "parent"


def _scripts(folder: Path) -> dict[str, tuple[Path, str]]:
    """The scripts of wrk by kind of call, and what an answer must contain."""
    scripts = {}
    for kind in KINDS:
        tool = "remove" if kind == "deny" else "echo"
        padding = {"text": "x" * 800}
        arguments = {"broker_id": "b-1234", "region": "eu-central-1", "count": 3, "rest": padding}
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        parameters = {"name": tool, "arguments": arguments, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}
        path = folder / f"{kind}.lua"
        path.write_text(
            WRK % (f"[==[{json.dumps(body)}]==]", tool, VARIED if kind == "varied" else "")
        )
        scripts[kind] = path
    return scripts


def _measure(gateway: Gateway, script: Path, in_flight: int, seconds: int) -> dict[str, float]:
    before = {name: cpu_seconds((pid,)) for name, pid in gateway.pids.items()}
    recorded = _lines(gateway.records)
    printed = subprocess.run(
        ["wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "-s", str(script), gateway.url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    made = json.loads(printed.splitlines()[-1])
    calls = made["calls"]
    if made["bad"] or (gateway.records and _lines(gateway.records) - recorded < calls):
        raise SystemExit(f"{gateway.name}: {made}, {_lines(gateway.records) - recorded} records")
    spent = {
        name: (cpu_seconds((pid,)) - before[name]) / calls * 1e6
        for name, pid in gateway.pids.items()
    }
    return {
        "rate": calls / made["seconds"], "p50": made["p50"] / 1e3, "p99": made["p99"] / 1e3,
        "cpu": sum(spent.values()), **spent,
    }  # fmt: skip


def _lines(records: Path | None) -> int:
    return (
        0
        if records is None
        else sum(path.read_bytes().count(b"\n") for path in records.parent.glob(records.name))
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
