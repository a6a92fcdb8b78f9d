"""The tables of a run: medians, and how they stand beside the targets. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

Figures = dict[tuple[str, int], list[dict[str, float]]]
Medians = Mapping[tuple[str, int], Mapping[str, float]]
_PROCESSES = ("proxy", "service", "gate", "opa")


def medians(figures: Figures) -> Medians:
    """The median of each figure over the rounds."""
    return {
        lane: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        for lane, rounds in figures.items()
    }


def rows(figures: Medians) -> list[dict[str, str | float]]:
    """The figures for a program."""
    return [{"lane": name, "in_flight": count, **each} for (name, count), each in figures.items()]


def table(figures: Medians, loads: Sequence[int], python: str) -> str:
    """Rate, latencies and CPU of each lane; `python` tells which Python was measured, which decides much of them."""
    lines = [
        (f"\n{python}. Calls a second, p50 and p99 in ms, µs of CPU per call (proxy/service/OPA):"),
        f"{'in flight':24}" + "".join(f"{count:>46}" for count in loads),
    ]
    for name in dict.fromkeys(name for name, _ in figures):
        cells = (_cell(figures[name, count]) for count in loads)
        lines.append(f"{name[:24]:24}" + "".join(f"{cell:>46}" for cell in cells))
    return "\n".join(lines)


def targets(figures: Medians) -> str:
    """The targets of this checkout: what was measured, and whether it is enough."""
    if ("nginx", 64) not in figures:
        return "no nginx, so no ratios"
    nginx, direct = figures["nginx", 64], figures["direct", 1]["p50"]
    opa = figures["opa rest", 1]["p50"]
    lines = [f"\n{'target':64}{'measured':>10}{'wanted':>10}"]
    for kind, what, cpu, rate, added in (
        ("allow", "known answer", 8, 0.2, 0.8), ("varied", "a rule in Rego, each call another", 12, 0.12, 2),
    ):  # fmt: skip
        many, lone = figures[f"{kind} .", 64], figures[f"{kind} .", 1]
        lines += [
            _target(f"CPU per allowed call at 64, nginx = 1: {what}", many["cpu"] / nginx["cpu"], cpu),
            _target(f"calls/s at 64, nginx = 1: {what}", many["rate"] / nginx["rate"], -rate),
            _target(f"p99 at 64, p50 = 1: {what}", many["p99"] / many["p50"], 2),
            _target(f"added p50 at 1, OPA over REST = 1: {what}", (lone["p50"] - direct) / opa, added),
        ]  # fmt: skip
    return "\n".join(lines)


def _target(what: str, measured: float, bound: float) -> str:
    """One line; a negative `bound` is a least value."""
    is_met = measured >= -bound if bound < 0 else measured <= bound
    sign = "≥" if bound < 0 else "≤"
    return (
        f"{what:64}{measured:10.3g}{f'{sign} {abs(bound):g}':>10}  {'met' if is_met else 'not met'}"
    )


def _cell(each: Mapping[str, float]) -> str:
    parts = "/".join(f"{each[name]:.0f}" for name in _PROCESSES if name in each)
    spent = f"{each['cpu']:.0f}" + (f" ({parts})" if parts else "")
    return f"{each['rate']:.0f}/s {each['p50']:.2f} {each['p99']:.2f} ms {spent}"
