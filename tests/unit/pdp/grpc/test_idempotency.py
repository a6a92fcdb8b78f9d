"""Idempotency: repeats get the first answer, refunds happen once."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence

import pytest
from msgspec import structs

from pdp.answer import Limit
from pdp.api.model import Call, Decision, Effect, Phase, Principal, Reason
from pdp.decide import Judgement
from pdp.errors import Overloaded, RequestError
from pdp.grpc import idempotency as module
from pdp.grpc.batching import Batcher
from pdp.grpc.idempotency import Idempotency, digest
from pdp.limits.budgets import Budget
from pdp.limits.store import MemoryStore
from tests.calls import call, claims

BUDGET = Budget("k", Limit(name="k", scope="global", max=2, window=60))
LEASE = Budget("k", Limit("k", "global", 2, 60, algorithm="concurrency"))


class Office:
    """Idempotency over a memory store whose judge takes one unit per call."""

    def __init__(self, *, max_waiting: int = 100) -> None:
        self.store = MemoryStore()
        self.judged = 0
        self.fail = False
        self.budget = BUDGET
        self.reason = Reason("c", "m")
        self.batcher = Batcher(self.judge, max_calls=8, in_flight=1, max_waiting=max_waiting)
        self.idempotency = Idempotency(self.batcher, self.store)

    async def judge(self, calls: Sequence[Call]) -> list[Judgement]:
        if self.fail:
            raise RuntimeError("broken")
        taken = await self.store.take(claims([(self.budget,)] * len(calls)), now=1)
        found = []
        for one, result in zip(calls, taken, strict=True):
            self.judged += 1
            effect = Effect.ALLOW if result.grant else Effect.DENY
            decision = Decision(
                decision_id=f"d-{one.request_id}", effect=effect, reason=self.reason
            )
            found.append(Judgement(decision, result.grant))
        return found


@pytest.fixture
async def office() -> object:
    office = Office()
    task = asyncio.create_task(office.batcher.run())
    yield office
    task.cancel()


async def test_a_repeated_request_gets_its_first_answer(office: Office) -> None:
    """Also while the first is still being judged; nothing is taken twice."""
    first, repeat = office.idempotency.submit(call("r")), office.idempotency.submit(call("r"))
    assert await first == await repeat == await office.idempotency.submit(call("r"))
    assert office.judged == 1


async def test_a_trace_id_does_not_make_a_repeat_another_call(office: Office) -> None:
    """A retried attempt carries a new trace."""
    await office.idempotency.submit(call("r"))
    await office.idempotency.submit(structs.replace(call("r"), trace_id="t2"))
    assert office.judged == 1


async def test_a_request_id_cannot_carry_another_call_past_the_policy(office: Office) -> None:
    """The same id with other arguments is refused, not answered with the first decision."""
    await office.idempotency.submit(call("r"))
    with pytest.raises(RequestError):
        office.idempotency.submit(call("r", arguments=b'{"x":2}'))


async def test_a_batch_with_a_reused_id_leaves_no_trace(office: Office) -> None:
    """Its other calls can be asked again."""
    await office.idempotency.submit(call("r"))
    with pytest.raises(RequestError):
        office.idempotency.submit_all([call("new"), call("r", target="other")])
    assert (await office.idempotency.submit(call("new"))).decision_id == "d-new"


async def test_a_refund_is_given_once(office: Office) -> None:
    """Two units: both taken, one returned once, so one more call passes."""
    first = await office.idempotency.submit(call("1"))
    await office.idempotency.submit(call("2"))
    assert await office.idempotency.refund(first.decision_id) is True
    assert await office.idempotency.refund(first.decision_id) is False
    assert (await office.idempotency.submit(call("3"))).effect is Effect.ALLOW
    assert (await office.idempotency.submit(call("4"))).effect is Effect.DENY


async def test_a_decision_that_took_nothing_has_nothing_to_return(office: Office) -> None:
    """Neither a refused call nor an unknown decision."""
    await asyncio.gather(*office.idempotency.submit_all([call("1"), call("2")]))
    denied = await office.idempotency.submit(call("3"))
    assert await office.idempotency.refund(denied.decision_id) is False
    assert await office.idempotency.refund("unknown") is False


async def test_a_call_that_could_not_be_judged_may_be_asked_again(office: Office) -> None:
    """A failure is not remembered as an answer."""
    office.fail = True
    with pytest.raises(RuntimeError):
        await office.idempotency.submit(call("r"))
    office.fail = False
    assert (await office.idempotency.submit(call("r"))).effect is Effect.ALLOW


async def test_an_overloaded_desk_remembers_nothing() -> None:
    """The refused call is not answered later by a future that nobody settles."""
    office = Office(max_waiting=1)
    waiting = office.idempotency.submit(call("1"))
    with pytest.raises(Overloaded):
        office.idempotency.submit(call("2"))
    task = asyncio.create_task(office.batcher.run())
    await waiting
    assert (await office.idempotency.submit(call("2"))).effect is Effect.ALLOW
    task.cancel()


async def test_old_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is bounded; a forgotten repeat is judged again, never let through unjudged."""
    monkeypatch.setattr(module, "MAX_REMEMBERED", 1)
    office = Office()
    task = asyncio.create_task(office.batcher.run())
    await office.idempotency.submit(call("1"))
    await office.idempotency.submit(call("2"))
    assert (await office.idempotency.submit(call("1"))).effect is Effect.DENY
    task.cancel()


async def test_nothing_that_a_call_carries_is_kept_once_it_is_decided(office: Office) -> None:
    """Ten thousand calls of 4 MB would be 40 GB: a digest tells them apart as well."""

    def large_call(request_id: str) -> Call:
        return call(request_id, arguments=b'{"text":"' + b"x" * 4_000_000 + b'"}')

    large = large_call("r")
    decision = await office.idempotency.submit(large)
    tracemalloc.start()
    for number in range(20):
        await office.idempotency.submit(large_call(f"r{number}"))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
    assert await office.idempotency.submit(large) == decision
    other = structs.replace(large, arguments=large.arguments[:-3] + b'y"}')
    with pytest.raises(RequestError):
        office.idempotency.submit(other)


async def test_long_answers_are_forgotten_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule may quote what a caller has written."""
    monkeypatch.setattr(module, "MAX_REMEMBERED_BYTES", 100_000)
    office = Office()
    office.reason = Reason("c", "m" * 60_000)
    task = asyncio.create_task(office.batcher.run())
    await office.idempotency.submit(call("1"))
    await office.idempotency.submit(call("2"))
    await office.idempotency.submit(call("2"))
    assert office.judged == 2
    await office.idempotency.submit(call("1"))
    assert office.judged == 3
    task.cancel()


async def test_every_fact_of_a_call_tells_it_from_another() -> None:
    """A request id is answered again only for the very same call."""
    texts = {"arguments": b'{"a":1}', "principal": Principal("p", "k"), "phase": Phase.LIST}
    for name in call().__struct_fields__:
        if name not in {"trace_id", *texts}:
            value = getattr(call(), name)
            texts[name] = not value if isinstance(value, bool) else None
    for name, value in texts.items():
        assert digest(structs.replace(call(), **{name: value})) != digest(call()), name
    split = structs.replace(call(), definition="x", arguments=b"y")
    assert digest(split) != digest(structs.replace(split, definition="", arguments=b"xy"))


async def test_the_end_of_a_call_frees_its_lease_once(office: Office) -> None:
    """Two are under way; when one has ended, one more may begin."""
    office.budget = LEASE
    first, _, third = [await office.idempotency.submit(call(name)) for name in ("a", "b", "c")]
    assert third.effect is Effect.DENY
    assert await office.idempotency.finish(first.decision_id) is True
    assert await office.idempotency.finish(first.decision_id) is False
    after = [(await office.idempotency.submit(call(name))).effect for name in ("d", "e")]
    assert after == [Effect.ALLOW, Effect.DENY]


async def test_the_end_of_a_call_gives_nothing_else_back(office: Office) -> None:
    """Units of a rate are spent."""
    first, _ = [await office.idempotency.submit(call(name)) for name in ("a", "b")]
    assert await office.idempotency.finish(first.decision_id) is False
    assert (await office.idempotency.submit(call("c"))).effect is Effect.DENY
