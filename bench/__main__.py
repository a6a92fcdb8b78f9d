"""Measures, interleaved in one run, what stands between a client and its server, and who decides.

    python -m bench                            everything, five rounds: about twenty minutes
    python -m bench --part proxies --rounds 3  one part, sooner
    python -m bench --beside ../other          and beside another checkout, after `make dev` there

proxies    one call of 1 KB through nginx, Envoy, a FastMCP proxy, mcp-policy-gateway and Tipstaff in two processes, in one and with two workers:
           allowed (one argument schema, one limit), denied, and allowed while each call differs in an argument that a rule
           in Rego reads; 1, 16 and 64 in flight, by wrk
decisions  questions without a proxy: single, in batches, over the stream, beside OPA asked over REST, and Cerbos
growth     tools, servers, sessions, sizes of arguments, lists, event streams, and memory over many calls

The lanes of a part run in rounds of random order. An answer that is not the expected one, or fewer records than calls,
ends the run. Ratios count: absolute figures are of this machine at this hour.
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
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench import decisions, growth, peers, plot, proxies, report, wrk
from bench.lanes import Lane, measure

IN_FLIGHT = (1, 16, 64)
PARTS = ("proxies", "decisions", "growth")


def main() -> None:
    """Run the benchmark and print its tables."""
    given = _arguments()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk makes the load: `make bench` installs it")
    if missing := peers.missing():
        print(f"not installed, so left out: {', '.join(missing)}", flush=True)
    python, targets = _python(), report.Targets()
    print(python)
    kept: dict[str, Any] = {"python": python, "rounds": given.rounds, "seconds": given.seconds}
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as name:
        folder = Path(name)
        for part in given.part or PARTS:
            (folder / part).mkdir()
            _MEASURE[part](folder / part, given, kept, targets)
    print("\n".join(targets.lines))
    if given.json:
        kept["targets"] = targets.lines[1:]
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(kept, indent=1) + "\n")
        _draw(given.json.parent, kept)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this part only")
    parser.add_argument("--beside", action="append", default=[], type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="per lane, load and round")
    parser.add_argument(
        "--calls", type=int, default=100_000, help="calls over which memory is watched"
    )
    parser.add_argument(
        "--json", type=Path, help="also write the figures here, and plots beside them"
    )
    return parser.parse_args()


def _proxies(
    folder: Path, given: argparse.Namespace, kept: dict[str, Any], targets: report.Targets
) -> None:
    with ExitStack() as stack:
        lanes = proxies.lanes(folder, [Path(), *given.beside], IN_FLIGHT, stack)
        url, pid = decisions.start_opa(folder, stack)
        script = wrk.opa_script(folder)
        for count in IN_FLIGHT:
            lanes[count].append(
                Lane("opa rest", partial(wrk.run, url, script, count), {"opa": pid})
            )
        figures = _rounds(lanes, given)
    kept["proxies"] = report.rows(figures)
    print(report.table(figures, IN_FLIGHT, "A call through"), flush=True)
    report.proxy_targets(figures, figures["opa rest", 1], targets)


def _decisions(
    folder: Path, given: argparse.Namespace, kept: dict[str, Any], targets: report.Targets
) -> None:
    with ExitStack() as stack:
        figures = _rounds({64: decisions.lanes(folder, stack)}, given)
    kept["decisions"] = report.rows(figures)
    print(report.table(figures, [64], "Decisions"), flush=True)
    report.decision_targets(figures, targets)


def _growth(
    folder: Path, given: argparse.Namespace, kept: dict[str, Any], targets: report.Targets
) -> None:
    print("\nGrowth: 16 calls in flight where a rate is told, else one after the other")
    kept["growth"] = []
    for row in growth.rows(folder, given.seconds, given.calls):
        kept["growth"].append(row)
        print(report.line(row), flush=True)
    report.growth_targets(kept["growth"], targets)


_MEASURE = {"proxies": _proxies, "decisions": _decisions, "growth": _growth}


def _rounds(lanes: Mapping[int, Sequence[Lane]], given: argparse.Namespace) -> report.Medians:
    """Load every lane in every round, in random order."""
    figures: report.Figures = defaultdict(list)
    first = lanes[min(lanes)]
    for lane in first:
        measure(lane, 1)  # warm up
    for number in range(given.rounds):
        print(f"round {number + 1} of {given.rounds} …", flush=True)
        for in_flight, there in lanes.items():
            for lane in random.sample(there, len(there)):
                figures[lane.name, in_flight].append(measure(lane, given.seconds))
    order = [lane.name for lane in first]
    return report.medians(
        {key: figures[key] for key in sorted(figures, key=lambda key: order.index(key[0]))}
    )


def _python() -> str:
    """The Python that runs, and how fast it is: builds without optimisations take a third longer for everything."""
    took = min(timeit.repeat("for n in range(10_000): d[n % 97] = (n, str(n))", "d = {}", number=1))
    return f"Python {platform.python_version()}, which takes {took * 1e6:,.0f} µs for a plain loop"


def _draw(folder: Path, kept: Mapping[str, Any]) -> None:
    """Write the plots for which there are figures."""
    names = {
        "allow .": "Tipstaff", "allow . --inline": "Tipstaff, one process", "varied .": "Tipstaff, a rule in Rego asked",
        "nginx": "nginx, a plain proxy", "envoy": "Envoy, no look into bodies", "fastmcp": "FastMCP proxy and middleware",
        "mcp-policy-gateway": "mcp-policy-gateway",
    }  # fmt: skip
    for key, title, unit, count in (
        ("cpu", "CPU of an allowed call, 16 in flight", "µs", 16),
        ("rate", "Allowed calls a second, 16 in flight", "/s", 16),
    ):
        values = [
            (names[row["lane"]], row[key]) for row in kept.get("proxies", ())
            if row["in_flight"] == count and row["lane"] in names
        ]  # fmt: skip
        if values:
            values.sort(key=lambda each: each[1], reverse=key == "rate")
            (folder / f"{key}.svg").write_text(plot.bars(title, values, unit, "Tipstaff"))


if __name__ == "__main__":
    main()
