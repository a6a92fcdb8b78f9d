"""Terms of approvals in YAML: what is not exactly terms is refused, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from pdp.rules.approval_rules import faults


@pytest.mark.parametrize(
    "value",
    [
        {}, {"approvers": ["ops"], "count": 2, "not_self": False, "note": "always"},
        {"decide_within": 60, "use_within": 60, "hold_seconds": 0},
        {"standing": {"max": 60}}, {"standing": {"max": 60, "match": ["/path"]}},
        {"standing": {"max": 60, "match": "exact"}},
    ],
)  # fmt: skip
def test_terms_are_taken(value: Any) -> None:
    """Without a fault."""
    assert list(faults(value)) == []


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ("finance", (), "must be a mapping"),
        ({"approver": ["ops"]}, ("approver",), "did you mean `approvers`"),
        ({"count": 0}, ("count",), "must be `int` >= 1, not 0"),
        ({"count": True}, ("count",), "must be `int`"),
        ({"note": "alway"}, ("note",), "did you mean `always`"),
        ({"note": ["always"]}, ("note",), "must be one of"),
        ({"approvers": "ops"}, ("approvers",), "must be `array`, not 'ops'"),
        ({"approvers": [5]}, ("approvers",), "must be `str`"),
        ({"not_self": "no"}, ("not_self",), "must be `bool`"),
        ({"standing": {}}, ("standing",), "needs `max`"),
        ({"standing": 5}, ("standing",), "must be `object | null`"),
        ({"standing": {"max": 0}}, ("standing", "max"), "must be `int` >= 1"),
        ({"standing": {"max": 5, "mach": "exact"}}, ("standing", "mach"), "did you mean `match`"),
        ({"standing": {"max": 5, "match": ["path"]}}, ("standing", "match"), "matching regex"),
    ],
)  # fmt: skip
def test_what_is_no_terms_is_named_with_its_place(
    value: Any, place: tuple[str, ...], message: str
) -> None:
    """And with what it should be."""
    found_faults = list(faults(value))
    assert [where for where, _ in found_faults] == [place]
    assert message in found_faults[0][1]
