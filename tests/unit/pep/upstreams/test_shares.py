"""Who makes room for whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.upstreams.shares import ChildKey, Held, NoRoomError, leaving, share_of_one


def key(caller: str, session: str = "new") -> ChildKey:
    return ChildKey("legacy", "s", caller, session)


def held(*children: str) -> list[Held]:
    """`a` is an idle child of a, `A` one in use, `a!` an idle one that is listened to; oldest first."""
    return [
        Held(key(text[0].lower(), f"{at}"), float(at), text[0].islower(), text.endswith("!"))
        for at, text in enumerate(children)
    ]


@pytest.mark.parametrize(
    ("children", "most", "wanted"),
    [
        ((), 1, None),
        (("A",), 2, None),
        (("a", "a"), 2, "0"),
        (("a!", "a"), 2, "1"),
        (("b", "a", "a"), 3, "1"),
        (("b", "b"), 2, "0"),
        (("c", "b", "B", "b"), 4, "1"),
        (("B", "B", "b"), 3, "2"),
        (("b", "c"), 2, "0"),
        (("B", "c"), 2, "1"),
    ],
)  # fmt: skip
def test_one_of_the_callers_own_goes_first_then_one_of_who_has_too_many(
    children: tuple[str, ...], most: int, wanted: str | None
) -> None:
    """The one that was not used for longest, and to which nobody listens, if there is such a one."""
    found = leaving(held(*children), key("a"), most)
    assert (found.session if found else None) == wanted


@pytest.mark.parametrize(
    ("children", "most", "text"),
    [
        (("A", "A"), 2, "all 2 processes that one caller may have"),
        (("A", "A", "A"), 4, "all 3 processes that one caller may have"),
        (("A", "b"), 2, "all 2 processes are in use"),
        (("B", "B"), 2, "all 2 processes are in use"),
        (("A", "A", "b", "b"), 4, "all 4 processes are in use"),
    ],
)
def test_whoever_has_a_share_keeps_it(children: tuple[str, ...], most: int, text: str) -> None:
    """A newcomer is told that there is no room, and of whom."""
    with pytest.raises(NoRoomError, match=text):
        leaving(held(*children), key("a"), most)


@given(st.lists(st.sampled_from("aAbBcCd"), max_size=12), st.integers(1, 12))
def test_no_one_with_a_fair_share_or_less_loses_a_child_to_another(
    children: list[str], most: int
) -> None:
    """Nor does one in use; and no caller gets beyond what one may have."""
    children = children[:most]
    counts = {caller: sum(one.lower() == caller for one in children) for caller in "abcd"}
    try:
        victim = leaving(held(*children), key("a"), most)
    except NoRoomError:
        assert "a" not in children
        return
    if victim is None:
        assert counts["a"] < share_of_one(most)
        return
    assert children[int(victim.session)].islower()
    callers = sum(1 for caller, count in counts.items() if count or caller == "a")
    assert victim.caller == "a" or counts[victim.caller] > most // callers
