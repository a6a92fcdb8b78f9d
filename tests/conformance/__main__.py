"""`make conformance`: what the suite finds directly and through Tipstaff, and the difference."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

from tests.conformance import suite
from tests.conformance.lanes import lanes


async def main() -> int:
    """0 when every way gives the same results as the direct one."""
    differences = 0
    async with lanes() as ways:
        for version in suite.VERSIONS:
            expected: suite.Outcome | None = None
            for name, url in ways.items():
                seen = await suite.run(url, version)
                expected = expected or seen
                lines = suite.difference(expected, seen)
                differences += len(lines)
                print(f"{version}  {name:<12} {_counted(seen)}", flush=True)
                for line in lines:
                    print(f"  differs: {line}")
    print("no difference" if not differences else f"{differences} differences")
    return 1 if differences else 0


def _counted(outcome: suite.Outcome) -> str:
    statuses: Counter[str] = Counter()
    for (_, _, status), times in outcome.items():
        statuses[status] += times
    scenarios = len({scenario for scenario, _, _ in outcome})
    listed = ", ".join(f"{times} {status}" for status, times in sorted(statuses.items()))
    return f"{scenarios} scenarios, {outcome.total()} results: {listed}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
