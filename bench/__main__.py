"""Measures, interleaved in one run, what stands between a client and its server.

Reported per lane: the median latency at 1 call in flight and what the lane adds to the direct one,
and the CPU time that the processes in between spend per call at 16 and 64 in flight. Medians of all
repetitions. Wall times on a busy machine are noisy: compare lanes of one run, not runs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from bench.lanes import Lane, cpu_seconds, start
from bench.load import run

IN_FLIGHT = (1, 16, 64)
Figures = dict[tuple[str, int], list[tuple[float, float]]]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1920, help="per lane and repetition")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder, ExitStack() as stack:
        lanes = start(Path(folder), stack)
        figures = asyncio.run(measure(lanes, arguments.repetitions, arguments.calls))
    report(lanes, figures)


async def measure(lanes: list[Lane], repetitions: int, calls: int) -> Figures:
    """Median latency and CPU per call of every lane and load, one pair per repetition."""
    figures: Figures = defaultdict(list)
    for lane in lanes:  # warm up
        await run(lane.port, lane.message, in_flight=16, calls=320, expect=lane.expect)
    for repetition in range(repetitions):
        print(f"repetition {repetition + 1} of {repetitions} …", flush=True)
        for in_flight in IN_FLIGHT:
            count = calls // 4 if in_flight == 1 else calls
            for lane in lanes:
                before = cpu_seconds(lane.pids)
                latencies = await run(
                    lane.port, lane.message, in_flight=in_flight, calls=count, expect=lane.expect
                )
                spent = cpu_seconds(lane.pids) - before
                figures[lane.name, in_flight].append(
                    (statistics.median(latencies), spent / len(latencies))
                )
    return figures


def report(lanes: list[Lane], figures: Figures) -> None:
    """Print the table."""
    print(f"\n{'':16}{'p50 at 1':>12}{'added':>12}{'CPU/call at 16':>17}{'CPU/call at 64':>17}")
    direct = _median(figures["direct", 1], 0)
    for lane in lanes:
        p50 = _median(figures[lane.name, 1], 0)
        cpu = [_median(figures[lane.name, load], 1) for load in (16, 64)]
        print(
            f"{lane.name:16}{p50 * 1e6:9.0f} µs{(p50 - direct) * 1e6:9.0f} µs"
            f"{cpu[0] * 1e6:14.0f} µs{cpu[1] * 1e6:14.0f} µs"
        )


def _median(pairs: list[tuple[float, float]], index: int) -> float:
    return statistics.median(pair[index] for pair in pairs)


if __name__ == "__main__":
    main()
