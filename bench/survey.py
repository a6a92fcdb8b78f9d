"""How well tools are classified, on labelled tools, and how long that takes.

    python -m bench.survey [--data FOLDER] [--labels FILE…] [--wrong]

FOLDER holds `tools/<server>.json`, real answers to `tools/list`, and `labels*.csv`: server, tool,
category, risk, alt_category (a second defensible answer, which counts as right), and for some sets the
kind of tool, by which they are also counted. Tools that are not there are in `bench/tools`. Ends with 1
when a measure misses its mark.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tipstaff.survey.classify.classify import classify_all
from tipstaff.survey.model import Category, Classification, Risk

ROOT = Path(__file__).parents[1]
# Beside the checkout, wherever that is.
DATA = Path(os.environ.get("TIPSTAFF_DATA") or ROOT.parent / "shared" / "data")
CATEGORIES, RISKS = list(Category), list(Risk)
SURE = 0.8
MOST_SECONDS = 2


class Judged(NamedTuple):
    label: dict[str, str]
    found: Classification

    @property
    def is_right(self) -> bool:
        return self.found.category in {self.label["category"], self.label.get("alt_category")}

    @property
    def is_underrated(self) -> bool:
        wanted = CATEGORIES.index(Category(self.label["category"]))
        return not self.is_right and CATEGORIES.index(self.found.category) < wanted

    @property
    def distance(self) -> int:
        return abs(RISKS.index(self.found.risk) - RISKS.index(Risk(self.label["risk"])))


def main() -> int:
    arguments = _parser().parse_args()
    files = sorted((arguments.data / "tools").glob("*.json"))
    if not files:
        print(f"no tools below {arguments.data}: give --data FOLDER", file=sys.stderr)
        return 2
    lists = {file.stem: json.loads(file.read_bytes())["tools"] for file in files}
    classify_all([])  # reads the lexicon
    started = time.process_time()
    found = _classified(lists)
    seconds = time.process_time() - started
    print(f"{len(found)} tools of {len(lists)} servers classified in {seconds:.2f} s")
    own = sorted((ROOT / "bench" / "tools").glob("*.json"))
    found |= _classified({file.stem: json.loads(file.read_bytes())["tools"] for file in own})
    groups = {"these": (arguments.labels, _OURS)} if arguments.labels else _groups(arguments.data)
    is_good = seconds < MOST_SECONDS
    for name, (group, marks) in groups.items():
        judged = [
            Judged(label, found[label["server"], label["tool"]])
            for file in group
            for label in _rows(file)
            if (label["server"], label["tool"]) in found
        ]
        is_good &= _score(name, judged, marks)
        _print_kinds(judged)
        if arguments.wrong:
            _tell(judged)
    return 0 if is_good else 1


class Marks(NamedTuple):
    """What a set must reach: shares of its tools, the second at most."""

    category: float = 0.92
    underrated: float = 0.02
    near: float = 0.97
    exact: float = 0.80


_OURS = Marks(0.95, 0.015, 0.98, 0.80)


def _classified(
    lists: dict[str, list[dict[str, Any]]],
) -> dict[tuple[str, str], Classification]:
    return {
        (server, tool["name"]): judgement
        for server, tools in lists.items()
        for tool, judgement in zip(tools, classify_all(tools), strict=True)
    }


def _groups(data: Path) -> dict[str, tuple[list[Path], Marks | None]]:
    """The sets of labels, each with what it must reach; the last only tells.

    Those beside the data were read twice by their makers; our own first ones once; those of kinds that
    were once rated wrongly twice: the ones that taught the rules, and the ones that were held out.
    """
    bench = ROOT / "bench"
    return {
        "labels read twice by others": (sorted(data.glob("labels*.csv")), Marks()),
        "our own labels": ([bench / "labels.csv"], _OURS),
        "kinds once rated wrongly, taught": ([bench / "labels_kinds.csv"], _OURS),
        "kinds once rated wrongly, held out": ([bench / "labels_held_out.csv"], _OURS),
        "the same kinds, held out later": ([bench / "labels_held_out_later.csv"], None),
    }


def _score(name: str, judged: list[Judged], required: Marks | None) -> bool:
    """Print each measure beside its mark; whether all are met."""
    marks = required or Marks(0, 1, 0, 0)
    sure = [one for one in judged if one.found.confidence > SURE]
    measures = (
        ("category exact", [one.is_right for one in judged], marks.category, 1),
        ("under-rated", [one.is_underrated for one in judged], 0, marks.underrated),
        ("risk within one level", [one.distance <= 1 for one in judged], marks.near, 1),
        ("risk exact", [one.distance == 0 for one in judged], marks.exact, 1),
        (f"right above confidence {SURE}", [one.is_right for one in sure], 0.97, 1),
    )
    print(f"\n{name}: {len(judged)} labelled tools, {len(sure)} of them above confidence {SURE}")
    is_good = True
    for what, hits, least, most in measures:
        share = sum(hits) / max(1, len(hits))
        is_met = least <= share <= most
        is_good &= is_met
        mark = f"at least {least:.1%}" if least else f"at most {most:.1%}" if most < 1 else ""
        print(f"  {what:28} {share:6.1%}   {mark:16} {'' if is_met else 'MISSED'}")
    return is_good


def _print_kinds(judged: list[Judged]) -> None:
    """How many of each kind come out right, where the labels name kinds."""
    for kind in sorted({one.label["kind"] for one in judged if one.label.get("kind")}):
        own = [one for one in judged if one.label["kind"] == kind]
        print(
            f"    {kind:12} {len(own):3} tools: category {sum(one.is_right for one in own):3}, "
            f"under-rated {sum(one.is_underrated for one in own):2}, "
            f"risk exact {sum(one.distance == 0 for one in own):3}, "
            f"within one {sum(one.distance <= 1 for one in own):3}"
        )


def _tell(judged: list[Judged]) -> None:
    for one in judged:
        if not one.is_right or one.distance:
            label = one.label
            print(
                f"  {label['server'][:24]:24} {label['tool'][:40]:40} "
                f"{label['category']}/{label['risk']} -> {one.found.rationale}"
            )


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as text:
        yield from csv.DictReader(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--labels", type=Path, nargs="*", help="only these files of labels")
    parser.add_argument("--wrong", action="store_true", help="name what is not as labelled")
    return parser


if __name__ == "__main__":
    sys.exit(main())
