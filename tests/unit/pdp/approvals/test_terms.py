"""Terms of several rules together: each is met."""

from __future__ import annotations

import msgspec
import pytest

from pdp.approvals import terms
from pdp.approvals.terms import Standing, Terms
from tests.held import holds


def test_the_shortest_time_and_the_strictest_note_hold() -> None:
    """And every group is asked."""
    both = holds(
        Terms(approvers=("a", "b"), decide_within=60, use_within=50, note="on_refuse"),
        Terms(approvers=("b", "c"), decide_within=40, hold_seconds=9),
    )
    assert terms.decide_within(both) == 40
    assert terms.use_within(both) == 50
    assert terms.hold_ms(both) == 9000
    assert terms.note(both) == "on_refuse"
    assert terms.groups(both) == ("a", "b", "c")


@pytest.mark.parametrize(("seconds", "milliseconds"), [(None, 0), (0, 1), (45, 45_000)])
def test_a_rule_that_wants_no_waiting_is_told_from_one_that_says_nothing(
    seconds: int | None, milliseconds: int
) -> None:
    """On the wire nothing is 0."""
    assert terms.hold_ms(holds(Terms(hold_seconds=seconds))) == milliseconds


def test_a_grant_stands_only_as_every_rule_allows() -> None:
    """The shortest time, and all arguments that any rule names."""
    short, long = Standing(60, ("/a",)), Standing(600, ("/b", "/a"))
    assert terms.standing_max(holds(Terms(standing=short), Terms(standing=long))) == 60
    assert terms.standing_match(holds(Terms(standing=short), Terms(standing=long))) == ("/a", "/b")
    assert terms.standing_max(holds(Terms(standing=short), Terms())) == 0
    assert terms.standing_match(holds(Terms(standing=short), Terms(standing=Standing(9)))) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0}, {"count": 11}, {"decide_within": 0}, {"use_within": 86_401}, {"note": "never"},
        {"approvers": [""]}, {"approvers": "finance"}, {"approver": []}, {"hold_seconds": -1},
        {"standing": {}}, {"standing": {"max": 60, "match": []}}, {"standing": {"max": 60, "match": ["a"]}},
        {"standing": {"max": 604_801}}, {"not_self": "no"},
    ],
)  # fmt: skip
def test_what_is_no_terms_is_refused(wrong: object) -> None:
    """Terms that are not understood must not become milder ones."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Terms)
