"""`python -m tests.hostile`: the fight, and its report; exit code 1 when something did not hold."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.hostile.arena import fight


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--verbose", action="store_true", help="how often each attack was tried")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tipstaff-hostile-") as folder:
        report = asyncio.run(fight(Path(folder), arguments.seconds))
    if arguments.verbose:
        for title, count in sorted(report.attacks.items()):
            print(f"{count:6} {title}")
    print(f"{sum(report.attacks.values())} attacks of {len(report.attacks)} kinds")
    print(
        f"{report.calls} honest calls: p50 {report.p50 * 1000:.0f} ms, "
        f"p99 {report.p99 * 1000:.0f} ms, slowest {report.slowest * 1000:.0f} ms"
    )
    print(
        "peak memory: " + ", ".join(f"{name} {size} MiB" for name, size in report.mebibytes.items())
    )
    never = [title for title, count in report.attacks.items() if not count]
    print(f"never tried: {', '.join(never) or 'none'}")
    print("\n".join(report.problems) or "everything held")
    return bool(report.problems)


if __name__ == "__main__":
    sys.exit(main())
