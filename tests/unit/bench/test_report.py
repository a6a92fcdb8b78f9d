"""The tables of a benchmark say what was measured, and whether it is enough."""

from __future__ import annotations

from bench import report
from bench.plot import bars


def test_medians_are_told_with_the_spread_of_their_rates() -> None:
    """A run whose rounds differ says so."""
    rounds = [{"rate": rate, "p50": 1.0, "p99": 2.0, "cpu": 10.0} for rate in (90.0, 100.0, 120.0)]
    (figures,) = report.medians({("a lane", 16): rounds}).values()
    assert figures == {"rate": 100.0, "p50": 1.0, "p99": 2.0, "cpu": 10.0, "spread": 0.3}
    table = report.table({("a lane", 16): figures}, [1, 16], "A call")
    assert "100 ±15% 1.00 2.00 ms 10" in table


def test_workers_are_told_together() -> None:
    """Each is a process of its own; all of them are the proxy."""
    spent = {"proxy": 100.0, "proxy 2": 90.0, "service": 50.0, "parent": 1.0}
    round_ = {"rate": 100.0, "p50": 1.0, "p99": 2.0, "cpu": 241.0, **spent}
    figures = report.medians({("workers", 64): [round_]})
    assert "241 (190/50)" in report.table(figures, [64], "A call")


def test_a_target_is_met_or_not() -> None:
    """At its bound it is."""
    targets = report.Targets()
    targets.most("cost", 8.0, 8)
    targets.most("cost", 8.1, 8)
    targets.least("rate", 0.2, 0.2)
    targets.least("rate", 0.1, 0.2)
    assert [line.split("  ")[-1] for line in targets.lines[1:]] == ["met", "not met"] * 2


def test_growth_is_held_against_the_targets_of_memory_and_streams() -> None:
    """Other rows have none."""
    targets = report.Targets()
    grown = [
        {"what": "10 tools", "cpu": 1.0},
        {"what": "1,000 calls of 1 MB: MiB more", "service": 31.0},
        {
            "what": "a stream of 100 MB in events of 200 bytes",
            "MB/s": 1.0,
            "MB per CPU second": 250.0,
        },
    ]
    report.growth_targets(grown, targets)
    assert [line.split("  ")[-1] for line in targets.lines[1:]] == ["not met", "met"]


def test_a_plot_shows_every_value_and_marks_ours() -> None:
    """The longest bar has the room; names are text, never markup."""
    drawing = bars("CPU", [("Tipstaff", 10.0), ("<other>", 40.0)], "µs", "Tipstaff")
    assert drawing.count('class="o"') == 1
    assert drawing.count('class="b"') == 1
    assert "&lt;other&gt;" in drawing
    assert "<other>" not in drawing
    assert "40 µs" in drawing
