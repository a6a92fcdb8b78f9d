"""The tables of a run: medians and their spread, and how they stand beside the targets. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Figures = dict[tuple[str, int], list[dict[str, float]]]
Medians = Mapping[tuple[str, int], Mapping[str, float]]
_PARTS = ("proxy", "service", "gate", "opa")
_SHOWN = ("rate", "p50", "p99", "cpu")


def medians(figures: Figures) -> Medians:
    """The median of each figure over the rounds; `spread` is that of the rate: (highest - lowest) / median."""
    return {
        lane: {**_middle(rounds), "spread": _spread(rounds)} for lane, rounds in figures.items()
    }


def _middle(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def _spread(rounds: Sequence[Mapping[str, float]]) -> float:
    rates = [each["rate"] for each in rounds]
    return (max(rates) - min(rates)) / statistics.median(rates)


def rows(figures: Medians) -> list[dict[str, str | float]]:
    """The figures for a program."""
    return [{"lane": name, "in_flight": count, **each} for (name, count), each in figures.items()]


def table(figures: Medians, loads: Sequence[int], title: str) -> str:
    """Rate, latencies and CPU of each lane, a column for each load."""
    lines = [
        f"\n{title}: calls a second ± spread, p50 and p99 in ms, µs of CPU per call (proxy/service/OPA)",
        f"{'in flight':28}" + "".join(f"{count:>54}" for count in loads),
    ]
    for name in dict.fromkeys(name for name, _ in figures):
        cells = (_cell(figures.get((name, count))) for count in loads)
        lines.append(f"{name[:28]:28}" + "".join(f"{cell:>54}" for cell in cells))
    return "\n".join(lines)


def _cell(each: Mapping[str, float] | None) -> str:
    if each is None:
        return ""
    parts = "/".join(f"{_spent(each, name):.0f}" for name in _PARTS if name in each)
    spent = f"{each['cpu']:.0f}" + (f" ({parts})" if parts else "")
    return f"{each['rate']:.0f} ±{each['spread'] * 50:.0f}% {each['p50']:.2f} {each['p99']:.2f} ms {spent}"


def _spent(each: Mapping[str, float], part: str) -> float:
    """The CPU of all processes that are this part: workers are `proxy`, `proxy 2` and so on."""
    return sum(value for name, value in each.items() if name.partition(" ")[0] == part)


def line(row: Mapping[str, Any]) -> str:
    """One row of growth."""
    figures = "  ".join(f"{name} {value:,.4g}" for name, value in row.items() if name != "what")
    return f"{row['what']:50}  {figures}"


class Targets:
    """Lines that compare what was measured with what is wanted."""

    def __init__(self) -> None:
        """Begin with the head."""
        self.lines = [f"\n{'target':72}{'measured':>10}{'wanted':>10}"]

    def most(self, what: str, measured: float, bound: float) -> None:
        """Add a figure that may not be larger than `bound`."""
        self._add(what, measured, f"≤ {bound:g}", is_met=measured <= bound)

    def least(self, what: str, measured: float, bound: float) -> None:
        """Add a figure that may not be smaller than `bound`."""
        self._add(what, measured, f"≥ {bound:g}", is_met=measured >= bound)

    def _add(self, what: str, measured: float, bound: str, *, is_met: bool) -> None:
        verdict = "met" if is_met else "not met"
        self.lines.append(f"{what:72}{measured:10.3g}{bound:>10}  {verdict}")


def proxy_targets(figures: Medians, opa: Mapping[str, float], targets: Targets) -> None:
    """Of calls through the proxy, in units of nginx and of one decision of OPA; `opa` is a lone query by wrk."""
    if ("nginx", 64) not in figures:
        return
    nginx, direct = figures["nginx", 64], figures["direct", 1]["p50"]
    for kind, what, cpu, rate, added in (
        ("allow", "known", 8, 0.2, 0.8), ("varied", "asked", 12, 0.12, 2),
    ):  # fmt: skip
        for way in (".", ". --inline"):
            many, lone = figures[f"{kind} {way}", 64], figures[f"{kind} {way}", 1]
            said = what + (", in one process" if "inline" in way else "")
            targets.most(
                f"CPU per allowed call at 64, nginx = 1: {said}", many["cpu"] / nginx["cpu"], cpu
            )
            targets.least(
                f"calls a second at 64, nginx = 1: {said}", many["rate"] / nginx["rate"], rate
            )
            targets.most(f"p99 at 64, p50 = 1: {said}", many["p99"] / many["p50"], 2)
            ratio = (lone["p50"] - direct) / opa["p50"]
            targets.most(f"added p50 at 1, one query of OPA = 1: {said}", ratio, added)


def decision_targets(figures: Medians, targets: Targets) -> None:
    """Of decisions without a proxy, in units of OPA asked by a program, and of Cerbos."""
    opa = figures["opa, aiohttp, 64 in flight", 64]
    for kind, stream, batch in (("known", 5, 1), ("asked", 2.5, 0.7)):
        rate = figures[f"StreamDecide, 64, {kind}", 64]["rate"]
        targets.least(f"stream at 64, OPA by aiohttp = 1: {kind}", rate / opa["rate"], stream)
        cerbos, ours = (
            figures.get(("cerbos, batches of 16", 64)),
            figures.get((f"BatchDecide of 16, {kind}", 64)),
        )
        if cerbos and ours:
            targets.least(
                f"BatchDecide of 16, Cerbos = 1: {kind}", ours["rate"] / cerbos["rate"], batch
            )


def growth_targets(grown: Iterable[Mapping[str, Any]], targets: Targets) -> None:
    """Of memory and of streams."""
    for row in grown:
        if row["what"].startswith("1,000 calls of 1 MB"):
            targets.most("service's memory after 1,000 calls of 1 MB, MiB more", row["service"], 30)
        if row["what"].startswith("a stream"):
            screened = row["MB per CPU second"]
            targets.least(f"{row['what']}, MB a second of CPU", screened, 200)
