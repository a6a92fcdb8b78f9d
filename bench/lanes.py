"""What is measured side by side: ways to an answer, and the load that each gets.

A lane has a function that loads it for some seconds and tells how many calls it answered; one table serves proxies, whose
calls wrk makes, and deciders, whose questions ghz or `bench.deciding` asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bench.peers import GHZ
from bench.processes import cpu_seconds

Load = Callable[[int], dict[str, float]]
"""Loads for so many seconds; returns calls, seconds, p50 and p99 in µs, and how many answers were wrong."""


class Lane(Struct, frozen=True):
    """One way to an answer: its name, its load, the processes that stand in it, its records, and the calls in one answer."""

    name: str
    load: Load
    pids: dict[str, int] = {}
    records: Path | None = None
    size: int = 1


def measure(lane: Lane, seconds: int) -> dict[str, float]:
    """One run: the rate, latencies in ms, and µs of CPU per call, in all and of each process.

    A wrong answer, or fewer records than calls, ends the program: a broken load makes everything look fast.
    """
    before = {name: cpu_seconds([pid]) for name, pid in lane.pids.items()}
    recorded = _lines(lane.records)
    made = lane.load(seconds)
    calls = made["calls"] * lane.size
    records = _lines(lane.records) - recorded
    if made["bad"] or not calls or (lane.records is not None and records < calls):
        raise SystemExit(f"{lane.name}: {made}, {records} records")
    spent = {
        name: (cpu_seconds([pid]) - before[name]) / calls * 1e6 for name, pid in lane.pids.items()
    }
    return {
        "rate": calls / made["seconds"], "p50": made["p50"] / 1e3, "p99": made["p99"] / 1e3,
        "cpu": sum(spent.values()), **spent,
    }  # fmt: skip


def deciding(way: str, address: str, kind: str = "known") -> Load:
    """The load of `bench.deciding`."""

    def load(seconds: int) -> dict[str, float]:
        command = [sys.executable, "-m", "bench.deciding", way, address, str(seconds), kind]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    return load


def ghz(target: str, method: str, data: Path, in_flight: int, *options: str) -> Load:
    """The load of ghz: calls of one method, with a template for their messages."""

    def load(seconds: int) -> dict[str, float]:
        command = [
            str(GHZ), "--insecure", "--call", method, "--data-file", str(data), "--concurrency", str(in_flight),
            "--connections", "4", "--duration", f"{seconds}s", "--duration-stop", "wait", "--format", "json", *options,
        ]  # fmt: skip
        printed = subprocess.run([*command, target], capture_output=True, text=True, check=True)
        told = json.loads(printed.stdout)
        latencies = {each["percentage"]: each["latency"] for each in told["latencyDistribution"]}
        good = told["statusCodeDistribution"].get("OK", 0)
        return {
            "calls": good, "seconds": told["total"] / 1e9, "bad": told["count"] - good,
            "p50": latencies[50] / 1e3, "p99": latencies[99] / 1e3,
        }  # fmt: skip

    return load


def _lines(records: Path | None) -> int:
    if records is None or not records.exists():
        return 0
    return records.read_bytes().count(b"\n")
