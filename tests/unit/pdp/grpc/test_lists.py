"""Which entries of a list a caller may see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from msgspec import structs

from pdp.api.bounds import CodecError
from pdp.api.list_codec import ListEntry, list_to_wire
from pdp.api.model import Call, Decision, Effect, Phase, Reason
from pdp.decide import Judgement
from pdp.errors import ListNotJudged
from pdp.grpc.batching import Batcher
from pdp.grpc.lists import Lists
from tests.calls import call

LISTED = structs.replace(call("r", target=""), phase=Phase.LIST)


def verdict(code: str = "allowed", *, hidden: bool = False) -> Decision:
    effect = Effect.ALLOW if code == "allowed" else Effect.DENY
    return Decision(decision_id="d", effect=effect, reason=Reason(code, ""), hidden=hidden)


class Rig:
    """Lists whose entries are judged by a function of their calls; keeps the calls, batch by batch."""

    def __init__(self, judged: Callable[[Call], Decision]) -> None:
        self.judged = judged
        self.batches: list[list[Call]] = []

    async def judge(self, calls: Sequence[Call]) -> list[Judgement]:
        await asyncio.sleep(0)
        self.batches.append(list(calls))
        return [Judgement(self.judged(each)) for each in calls]

    async def hidden(self, *entries: ListEntry) -> list[int]:
        batcher = Batcher(self.judge, max_calls=32, in_flight=1, max_waiting=100)
        working = asyncio.ensure_future(batcher.run())
        try:
            return await Lists(batcher).hidden(list_to_wire(LISTED, entries))
        finally:
            working.cancel()


def entries(count: int) -> list[ListEntry]:
    return [ListEntry(str(number)) for number in range(count)]


@pytest.mark.parametrize(
    ("code", "hidden", "is_shown"),
    [
        ("allowed", False, True),
        ("denied_by_rule", False, True),
        ("approval_required", False, True),
        ("hidden", True, False),
        ("policy_error", False, False),
        ("internal_error", False, False),
        ("policy_invalid_result", False, False),
    ],
)
async def test_an_entry_is_shown_unless_it_is_hidden_or_its_rules_failed(
    code: str, hidden: bool, is_shown: bool
) -> None:
    """What failed might have been hidden; what is denied may be seen."""
    rig = Rig(lambda _: verdict(code, hidden=hidden))
    assert await rig.hidden(ListEntry("a")) == ([] if is_shown else [0])


@pytest.mark.parametrize("code", ["policy_unavailable", "policy_undefined", "journal_unavailable"])
async def test_a_list_with_an_entry_that_cannot_be_judged_now_has_no_answer(code: str) -> None:
    """Such a fault passes; a list without its entries would look like an answer."""
    rig = Rig(lambda each: verdict(code) if each.target == "70" else verdict())
    with pytest.raises(ListNotJudged):
        await rig.hidden(*entries(100))


async def test_each_entry_is_a_call_of_its_own() -> None:
    """With its target, its digest and a request id of its own, under that of the list."""
    rig = Rig(lambda _: verdict())
    digest = "sha256:" + "a" * 64
    assert await rig.hidden(ListEntry("a", digest), ListEntry("b")) == []
    (batch,) = rig.batches
    assert [(each.request_id, each.target, each.definition) for each in batch] == [
        ("r.0", "a", digest), ("r.1", "b", ""),
    ]  # fmt: skip
    assert {each.phase for each in batch} == {Phase.LIST}


async def test_a_long_list_is_judged_slice_by_slice() -> None:
    """Calls of others have their turn in between; positions count over the whole list."""
    rig = Rig(lambda each: verdict("hidden", hidden=int(each.target) % 100 == 7))
    assert await rig.hidden(*entries(1000)) == list(range(7, 1000, 100))
    assert max(map(len, rig.batches)) == 64


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (ListEntry("x" * 9000), "entries.target"),
        (ListEntry("x", "md5:1"), "entries.definition_digest"),
    ],
)
async def test_a_malformed_entry_is_named(entry: ListEntry, field: str) -> None:
    """The list has no answer then."""
    with pytest.raises(CodecError) as error:
        await Rig(lambda _: verdict()).hidden(entry)
    assert error.value.field == field
