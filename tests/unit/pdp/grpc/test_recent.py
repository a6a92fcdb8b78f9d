"""What is remembered, and what is forgotten first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pdp.grpc.recent import Recent

KEYS = st.sampled_from("abcdefgh")


def test_the_oldest_is_forgotten_first_by_number_and_by_weight() -> None:
    """Whichever bound is reached."""
    by_count: Recent[int] = Recent(2, 100)
    for number, key in enumerate("abc"):
        by_count.put(key, number, 1)
    assert [by_count.get(key) for key in "abc"] == [None, 1, 2]
    by_weight: Recent[int] = Recent(100, 10)
    for number, key in enumerate("abc"):
        by_weight.put(key, number, 5)
    assert [by_weight.get(key) for key in "abc"] == [None, 1, 2]


def test_what_is_too_heavy_by_itself_is_not_remembered() -> None:
    """Nor does it leave its weight behind."""
    recent: Recent[int] = Recent(10, 10)
    recent.put("a", 1, 11)
    assert recent.get("a") is None
    recent.put("b", 2, 10)
    assert recent.get("b") == 2


@given(st.lists(st.tuples(KEYS, st.integers(0, 9), st.booleans())))
def test_whatever_comes_and_goes_the_newest_that_fit_are_there(
    steps: list[tuple[str, int, bool]],
) -> None:
    """Against a plain list of what was put, newest last."""
    recent: Recent[int] = Recent(3, 12)
    kept: list[tuple[str, int]] = []
    for key, weight, is_put in steps:
        known = dict(kept).get(key)
        assert recent.get(key) == known
        kept = [entry for entry in kept if entry[0] != key]
        if is_put:
            recent.put(key, weight, weight)
            kept.append((key, weight))
            while len(kept) > 3 or sum(size for _, size in kept) > 12:
                del kept[0]
        else:
            assert recent.pop(key) == known
