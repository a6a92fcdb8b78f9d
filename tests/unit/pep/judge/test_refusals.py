"""Refusals without a decision: recorded at once, counted in a flood, told as sums after it."""

from __future__ import annotations

import pytest

from pdp.api.codec import call_from_wire, call_to_wire
from pdp.api.model import Call, Principal, Reason, Session
from pep.judge.refusals import Refusals
from tests.calls import call

REASON = Reason("credential_invalid", "the token has expired")


class Rig:
    def __init__(self) -> None:
        self.now = 0.0
        self.records: list[tuple[Call, Reason]] = []
        self.refusals = Refusals(self.record, lambda: self.now)

    def record(self, one: Call, reason: Reason) -> None:
        assert call_from_wire(call_to_wire(one)).server == one.server  # a record the service takes
        self.records.append((one, reason))

    def refuse(self, peer: str, server: str = "s") -> None:
        principal = Principal(f"unauthenticated:{peer}", "unauthenticated", b'{"a": 1}')
        session = Session(principal.id, "principal")
        self.refusals.add(
            Call(**{**_fields(call(server=server)), "principal": principal, "session": session}),
            REASON,
        )


def _fields(one: Call) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_a_refusal_is_recorded_at_once_with_what_it_was_about(rig: Rig) -> None:
    """As long as there are few."""
    for _ in range(10):
        rig.refuse("10.0.0.1")
    assert len(rig.records) == 10
    assert {(one.target, reason.message) for one, reason in rig.records} == {
        ("read", "the token has expired")
    }
    rig.refusals.close()
    assert len(rig.records) == 10


async def test_a_flood_is_ten_records_and_a_sum(rig: Rig) -> None:
    """The sum names the server, the code and the peer, and how many there were."""
    for _ in range(5000):
        rig.refuse("10.0.0.1")
    assert len(rig.records) == 10
    rig.now = 60
    rig.refuse("10.0.0.1")
    assert len(rig.records) == 12
    summed, reason = rig.records[10]
    assert (summed.server, summed.principal.id) == ("s", "unauthenticated:10.0.0.1")
    assert reason.code == "credential_invalid"
    assert reason.message.startswith("4990 more like it were refused")
    rig.refusals.close()
    assert len(rig.records) == 12


async def test_a_crowd_of_addresses_is_bounded_too(rig: Rig) -> None:
    """Records in all, sums in all, and what is kept of each."""
    for number in range(20_000):
        rig.refuse(f"2001:db8::{number:x}", f"s{number % 2}")
    assert len(rig.records) == 120
    assert len(rig.refusals._last) <= 520
    rig.refusals.close()
    sums = rig.records[120:]
    assert len(sums) <= 18
    counts = [int(reason.message.partition(" ")[0]) for _, reason in sums]
    assert sum(counts) == 20_000 - 120
    several = [one for one, _ in sums if one.principal.id == "unauthenticated:several"]
    assert {one.server for one in several} == {"s0", "s1"}
    assert {one.session.id for one in several} == {"unauthenticated:several"}


async def test_a_flood_that_ends_is_summed_without_another_refusal(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to come for it to be told."""
    import asyncio

    monkeypatch.setattr("pep.judge.refusals._PERIOD_SECONDS", 0.05)
    for _ in range(100):
        rig.refuse("10.0.0.1")
    async with asyncio.timeout(5):
        while len(rig.records) < 11:
            await asyncio.sleep(0.01)
    assert rig.records[10][1].message.startswith("90 more like it")
