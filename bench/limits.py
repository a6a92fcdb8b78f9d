"""Measures what limits cost: microseconds per decision of each algorithm on each store.

One interleaved run. A decision here is one claim to one budget, alone in its step and as one of 32
in a step, as calls that are in flight together share one. CPU is that of this process and, for
Valkey, of the server. Medians of all repetitions; compare rows of one run, not runs.

    python -m bench.limits
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.processes import cpu_seconds
from pdp.answer import Limit
from pdp.limits.budgets import Budget, Claim
from pdp.limits.redis import RedisStore
from pdp.limits.store import MemoryStore, SqliteStore
from pdp.ports import StateStore
from tests import redis_server

CALLERS = 50
BATCHES = (1, 32)
LIMITS = {
    "sliding_log, max 10": Limit("ten", "session", 10, 1),
    "sliding_log, max 1000": Limit("thousand", "session", 1000, 60),
    "gcra": Limit("rate", "session", 100_000, 60, algorithm="gcra", burst=1000),
    "concurrency": Limit("held", "session", 10, 1, algorithm="concurrency"),
}
Figures = dict[tuple[str, str, int], list[tuple[float, float]]]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="bench.limits", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--decisions", type=int, default=1600, help="per row and repetition")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder, ExitStack() as stack:
        server = stack.enter_context(redis_server.running("valkey", Path(folder)))
        figures = asyncio.run(
            measure(Path(folder), server, arguments.repetitions, arguments.decisions)
        )
    report(figures)


async def measure(
    folder: Path, server: redis_server.Server, repetitions: int, decisions: int
) -> Figures:
    """Wall and CPU seconds per decision, one pair per repetition."""
    redis = RedisStore(server.url, 5000)
    stores: dict[str, StateStore] = {
        "memory": MemoryStore(),
        "sqlite": SqliteStore(folder / "process.db", _now()),
        "sqlite, power": SqliteStore(folder / "power.db", _now(), is_full=True),
        "valkey": redis,
    }
    figures: Figures = defaultdict(list)
    numbers = itertools.count()
    for repetition in range(repetitions + 1):
        print(f"repetition {repetition} of {repetitions} …" if repetition else "warming up …")
        for batch in BATCHES:
            for name, limit in LIMITS.items():
                for store_name, store in stores.items():
                    pids = [server.process.pid] if store is redis else []
                    pair = await _row(store, limit, batch, decisions, numbers, lambda: pids)  # noqa: B023
                    if repetition:
                        figures[store_name, name, batch].append(pair)
    await redis.close()
    return figures


async def _row(
    store: StateStore,
    limit: Limit,
    batch: int,
    decisions: int,
    numbers: itertools.count[int],
    pids: Callable[[], Sequence[int]],
) -> tuple[float, float]:
    cpu, began = _cpu(pids()), time.perf_counter()
    for _ in range(decisions // batch):
        claims = []
        for _ in range(batch):
            number = next(numbers)
            budget = Budget(f"{limit.name}:{number % CALLERS}", limit)
            claims.append(Claim(f"r{number}", (budget,)))
        await store.take(claims, _now())
    took = time.perf_counter() - began
    return took / decisions, (_cpu(pids()) - cpu) / decisions


def report(figures: Figures) -> None:
    """Print the table."""
    heads = [f"{what}, {batch} a step" for batch in BATCHES for what in ("wall", "CPU")]
    print(f"\n{'':16}{'':24}" + "".join(f"{head:>20}" for head in heads))
    for store, name in dict.fromkeys((store, name) for store, name, _ in figures):
        cells = [
            statistics.median(pair[index] for pair in figures[store, name, batch]) * 1e6
            for batch in BATCHES
            for index in (0, 1)
        ]
        print(f"{store:16}{name:24}" + "".join(f"{cell:17.0f} µs" for cell in cells))


def _cpu(pids: Sequence[int]) -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + (cpu_seconds(pids) if pids else 0.0)


def _now() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    main()
