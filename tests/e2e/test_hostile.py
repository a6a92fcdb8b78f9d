"""A short run of the fight between hostile servers, hostile callers and honest ones: `make hostile`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.arena import fight


@pytest.mark.timeout(180)
async def test_nothing_gets_round_and_nobody_waits_while_the_gateway_is_attacked(
    tmp_path: Path,
) -> None:
    """Every honest call is answered, nothing hidden is shown, nothing denied is done.

    How fast they are is for `make hostile`: other tests run beside this one.
    """
    report = await fight(tmp_path, seconds=30, most_seconds=5.0)
    assert report.problems == []
    assert report.calls > 300
    assert sum(map(bool, report.attacks.values())) > 150
