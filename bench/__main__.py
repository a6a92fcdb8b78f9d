"""Measures, interleaved in one run, what stands between a client and its server.

    python -m bench                            this checkout, beside nginx and OPA
    python -m bench --beside ../other          and beside another checkout, after `make dev` there

Lanes: the server itself; nginx as a plain proxy; OPA over REST, one decision a request; and per checkout a
call that is allowed (one argument schema, one limit), one that is denied, and one that is allowed and differs
each time in an argument that a rule in Rego reads. The load is made by wrk, a call of 1 KB, in rounds of
random order. An answer that is not the expected one, or fewer records than calls, ends the run. Ratios
count: absolute figures are of this machine at this hour.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import tempfile
import timeit
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from bench import report, wrk
from bench.lanes import Lane, cpu_seconds, start

IN_FLIGHT = (1, 16, 64)


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--beside", action="append", default=[], type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="per lane, load and round")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk makes the load: `make bench` installs it")
    figures: report.Figures = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder, ExitStack() as stack:
        lanes = start(Path(folder), [Path(), *given.beside], stack)
        for lane in lanes:
            _measure(lane, 16, 2)  # warm up
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds} …", flush=True)
            for in_flight in IN_FLIGHT:
                for lane in random.sample(lanes, len(lanes)):
                    figures[lane.name, in_flight].append(_measure(lane, in_flight, given.seconds))
    medians = report.medians(figures)
    print(report.table(medians, IN_FLIGHT, _python()))
    print(report.targets(medians))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(report.rows(medians), indent=1) + "\n")


def _measure(lane: Lane, in_flight: int, seconds: int) -> dict[str, float]:
    """One run: the rate, latencies in ms, and µs of CPU per call, in all and of each process."""
    before = {name: cpu_seconds((pid,)) for name, pid in lane.pids.items()}
    recorded = _lines(lane.records)
    made = wrk.run(lane.url, lane.script, in_flight, seconds)
    calls = made["calls"]
    records = _lines(lane.records) - recorded
    if made["bad"] or (lane.records is not None and records < calls):
        raise SystemExit(f"{lane.name}: {made}, {records} records")
    spent = {
        name: (cpu_seconds((pid,)) - before[name]) / calls * 1e6 for name, pid in lane.pids.items()
    }
    return {
        "rate": calls / made["seconds"], "p50": made["p50"] / 1e3, "p99": made["p99"] / 1e3,
        "cpu": sum(spent.values()), **spent,
    }  # fmt: skip


def _python() -> str:
    """The Python that runs, and how fast it is: builds without optimisations take a third longer for everything."""
    took = min(timeit.repeat("for n in range(10_000): d[n % 97] = (n, str(n))", "d = {}", number=1))
    return f"Python {platform.python_version()}, which takes {took * 1e6:,.0f} µs for a plain loop"


def _lines(records: Path | None) -> int:
    return 0 if records is None else records.read_bytes().count(b"\n")


if __name__ == "__main__":
    main()
