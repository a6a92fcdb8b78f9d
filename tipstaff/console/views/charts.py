"""Charts as SVG, each with its figures in words beside it. Pure.

Only attributes and classes: the policy of the pages forbids styles within them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tipstaff.console.history import EFFECTS
from tipstaff.console.views.markup import Element, tag

_HEIGHT = 40


def columns(counts: Sequence[tuple[int, int, int]], title: str, width: int = 4) -> Element:
    """A column for each of `counts` (denied, held, allowed), stacked; `title` says what it shows, in words."""
    highest = max((sum(three) for three in counts), default=0) or 1
    bars = []
    for number, three in enumerate(counts):
        top = _HEIGHT
        for effect, count in zip(reversed(EFFECTS), reversed(three), strict=True):
            if not count:
                continue
            height = max(1, round(count * _HEIGHT / highest))
            top = max(0, top - height)
            bars.append(_rectangle(number * width, top, width - 1, height, f"bar-{effect}"))
    return _picture(bars, len(counts) * width, _HEIGHT, title, "columns")


def shares(parts: Sequence[tuple[int, str]], whole: int, title: str) -> Element:
    """One bar, filled from the left by `parts` (how many of `whole`, class)."""
    bars, left = [_rectangle(0, 0, 200, 10, "bar-rest")], 0.0
    for count, name in parts:
        length = min(200 - left, 200 * count / whole) if whole else 0.0
        bars.append(_rectangle(round(left, 1), 0, round(length, 1), 10, name))
        left += length
    return _picture(bars, 200, 10, title, "shares")


def _picture(bars: Sequence[Element], width: int, height: int, title: str, name: str) -> Element:
    return tag(
        "svg", tag("title", title), bars,
        viewBox=f"0 0 {max(width, 1)} {height}", preserveAspectRatio="none", role="img",
        aria_label=title, class_=name,
    )  # fmt: skip


def _rectangle(x: float, y: float, width: float, height: float, name: str) -> Element:
    return tag("rect", x=str(x), y=str(y), width=str(width), height=str(height), class_=name)
