"""Beginning an approval: a new one, or the one that answers an equal call."""

from __future__ import annotations

import pytest
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import SECOND, HeldCall
from pdp.approvals.port import MAX_PENDING, MAX_PENDING_OF_CALLER, Begun, Filter, begun
from pdp.errors import ApprovalOverload
from tests.held import START, held_call

NEW = held_call(number=2)


def begin(
    equal: HeldCall | None = None,
    standing: HeldCall | None = None,
    *,
    of_caller: int = 0,
    pending: int = 0,
    now: int = START,
) -> Begun:
    return begun(NEW, equal, standing, lambda: of_caller, lambda: pending, now)


def test_a_call_that_nobody_has_made_begins_an_approval() -> None:
    """Also after an equal one whose approval is used up."""
    assert begin() == Begun(NEW, is_new=True, is_changed=True)
    used = structs.replace(held_call(), state=State.USED)
    assert begin(used).held is NEW
    assert begin(held_call(), now=START + 900 * SECOND).held is NEW


def test_an_equal_call_joins_or_finds_its_answer() -> None:
    """Also when too many are pending: it adds none."""
    full = {"of_caller": MAX_PENDING_OF_CALLER, "pending": MAX_PENDING}
    joined = begin(held_call(), **full)
    assert (joined.held.id, joined.held.joined, joined.is_new) == ("a-1", 2, False)
    for state in (State.GRANTED, State.REFUSED):
        equal = structs.replace(held_call(), state=state)
        assert begin(equal, **full) == Begun(equal, is_new=False, is_changed=False)


def test_a_standing_grant_comes_first() -> None:
    """As long as it stands."""
    granted = life.happens(held_call(number=3), life.Event.GRANTED, START)
    standing = life.stand_until(granted, START + 60 * SECOND)
    assert begin(held_call(), standing).held is standing
    assert begin(held_call(), standing, now=START + 60 * SECOND).held.id == "a-1"


@pytest.mark.parametrize("full", [{"of_caller": MAX_PENDING_OF_CALLER}, {"pending": MAX_PENDING}])
def test_people_are_asked_about_so_many_and_no_more(full: dict[str, int]) -> None:
    """Of one caller, and in all."""
    with pytest.raises(ApprovalOverload):
        begin(**full)


@pytest.mark.parametrize(
    ("selected", "fits"),
    [
        (Filter(), True), (Filter("pending", "s", "token:ana-agent"), True), (Filter("granted"), False),
        (Filter(server="t"), False), (Filter(principal="x"), False),
    ],
)  # fmt: skip
def test_a_filter_selects_by_what_it_names(selected: Filter, fits: bool) -> None:
    """And by nothing else."""
    assert selected.fits(held_call()) is fits
