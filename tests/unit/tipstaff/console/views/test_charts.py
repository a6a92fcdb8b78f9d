"""Charts say in words what they show, and stay within their frame."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tipstaff.console.views.charts import columns, shares

COUNTS = st.lists(st.tuples(*(st.integers(0, 10**6) for _ in range(3))), max_size=80)


def boxes(markup: str) -> list[tuple[float, ...]]:
    found = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', markup)
    return [tuple(map(float, box)) for box in found]


@given(counts=COUNTS)
def test_columns_stay_within_their_frame(counts: list[tuple[int, int, int]]) -> None:
    """However much there is to show."""
    markup = columns(counts, "words").markup
    for x, y, width, height in boxes(markup):
        assert 0 <= y <= y + height <= 40 + 3
        assert x + width <= 4 * len(counts)


@given(parts=st.lists(st.integers(0, 10**9), max_size=5), whole=st.integers(0, 10**6))
def test_shares_stay_within_the_whole(parts: list[int], whole: int) -> None:
    """Also where more was used than there is."""
    markup = shares([(part, "bar-used") for part in parts], whole, "words").markup
    for x, _, width, _ in boxes(markup):
        assert x + width <= 200.2


def test_a_chart_has_its_words_for_those_who_do_not_see_it() -> None:
    """And no style, which the pages' policy forbids."""
    markup = columns([(1, 2, 3)], 'three "kinds"').markup
    assert 'role="img"' in markup
    assert 'aria-label="three &quot;kinds&quot;"' in markup
    assert "style" not in markup
    for name in ("bar-deny", "bar-hold", "bar-allow"):
        assert name in markup
