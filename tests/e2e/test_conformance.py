"""With a policy that allows everything, the conformance suite finds the same as without Tipstaff."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance import suite
from tests.conformance.lanes import lanes


@pytest.mark.parametrize("version", suite.VERSIONS)
async def test_the_suite_finds_the_same_directly_and_through_the_gateway(version: str) -> None:
    """The multiset of scenario, check and status; exit codes hide much of it."""
    async with lanes() as ways:
        outcomes = {name: await suite.run(url, version) for name, url in ways.items()}
    expected = outcomes.pop("directly")
    assert [row for row in expected if row[2] not in {"SUCCESS", "INFO"}] == []
    assert expected.total() > 90
    for name, seen in outcomes.items():
        assert suite.difference(expected, seen) == [], name


def test_a_check_that_is_missing_or_has_another_status_is_a_difference() -> None:
    """A comparison that finds nothing would prove nothing."""
    expected = Counter({("s", "a", "SUCCESS"): 2, ("s", "b", "SUCCESS"): 1})
    seen = Counter({("s", "a", "SUCCESS"): 1, ("s", "b", "FAILURE"): 1})
    assert [line.partition(":")[0] for line in suite.difference(expected, seen)] == [
        "s a SUCCESS", "s b FAILURE", "s b SUCCESS"
    ]  # fmt: skip
