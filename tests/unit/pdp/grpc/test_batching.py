"""Calls that wait together are judged together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pdp.api.model import Call, Decision, Effect, Reason
from pdp.decide import Judgement
from pdp.errors import Overloaded
from pdp.grpc.batching import LARGE_BYTES, Batcher
from tests.calls import call


def judgement(one: Call) -> Judgement:
    return Judgement(
        Decision(decision_id=one.request_id, effect=Effect.DENY, reason=Reason("x", "x"))
    )


class Gate:
    """A judge that waits until it is let go, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()

    async def judge(self, calls: Sequence[Call]) -> list[Judgement]:
        self.batches.append([one.request_id for one in calls])
        await self.open.wait()
        if any(one.target == "boom" for one in calls):
            raise RuntimeError("boom")
        return [judgement(one) for one in calls]


async def run(batcher: Batcher) -> asyncio.Task[None]:
    task = asyncio.create_task(batcher.run())
    await asyncio.sleep(0)
    return task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_queues_during_a_query_shares_the_next() -> None:
    """One in flight: the first call goes alone, the three that arrive meanwhile go together."""
    gate = Gate()
    batcher = Batcher(gate.judge, max_calls=8, in_flight=1, max_waiting=100)
    task = await run(batcher)
    futures = [batcher.submit([call("1")])]
    await settle()
    futures += [batcher.submit([call(name)]) for name in "234"]
    gate.open.set()
    found = [await future for future in futures]
    assert gate.batches == [["1"], ["2", "3", "4"]]
    assert [one[0].decision.decision_id for one in found] == ["1", "2", "3", "4"]
    task.cancel()


async def test_answers_go_out_before_the_next_batch_is_judged() -> None:
    """Two workers and a judge that never waits: who waits for the first answer asks again before the second batch."""
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate.judge, max_calls=2, in_flight=2, max_waiting=100)
    task = await run(batcher)
    written = asyncio.Event()
    answers = [batcher.submit([call(name)]) for name in "abcd"]
    answers[0].add_done_callback(lambda _: written.set())
    await written.wait()
    assert gate.batches == [["a", "b"]]
    await asyncio.gather(*answers)
    assert gate.batches == [["a", "b"], ["c", "d"]]
    task.cancel()


async def test_calls_that_keep_coming_share_a_batch_until_it_is_full() -> None:
    """One comes in each turn of the loop."""
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate.judge, max_calls=4, in_flight=2, max_waiting=100)
    task = await run(batcher)
    answers = []
    for name in "abcdef":
        answers.append(batcher.submit([call(name)]))
        await asyncio.sleep(0)
    await asyncio.gather(*answers)
    assert gate.batches == [["a", "b", "c", "d"], ["e", "f"]]
    task.cancel()


async def test_a_batch_is_bounded_and_a_group_is_never_split() -> None:
    """Three waiting groups of two, at most five calls a batch: two groups, then one."""
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate.judge, max_calls=5, in_flight=1, max_waiting=100)
    futures = [batcher.submit([call(f"{n}a"), call(f"{n}b")]) for n in "123"]
    task = await run(batcher)
    await asyncio.gather(*futures)
    assert gate.batches == [["1a", "1b", "2a", "2b"], ["3a", "3b"]]
    task.cancel()


async def test_a_failed_batch_fails_its_calls_and_no_others() -> None:
    """The worker survives."""
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate.judge, max_calls=1, in_flight=1, max_waiting=100)
    task = await run(batcher)
    bad, good = batcher.submit([call("1", target="boom")]), batcher.submit([call("2")])
    with pytest.raises(RuntimeError):
        await bad
    assert (await good)[0].decision.decision_id == "2"
    task.cancel()


async def test_a_caller_that_gave_up_harms_nobody() -> None:
    """Its place in the batch is judged, its answer dropped, whether it succeeds or fails."""
    gate = Gate()
    batcher = Batcher(gate.judge, max_calls=4, in_flight=1, max_waiting=100)
    task = await run(batcher)
    gone, there = batcher.submit([call("1")]), batcher.submit([call("2")])
    gone.cancel()
    gate.open.set()
    assert (await there)[0].decision.decision_id == "2"
    gone = batcher.submit([call("3", target="boom")])
    gone.cancel()
    await settle()
    task.cancel()


async def test_too_many_waiting_calls_are_refused_at_once() -> None:
    """Nothing grows without bound."""
    batcher = Batcher(Gate().judge, max_calls=4, in_flight=1, max_waiting=1)
    waiting = batcher.submit([call("1")])
    with pytest.raises(Overloaded):
        batcher.submit([call("2")])
    waiting.cancel()


async def test_what_has_waited_too_long_is_refused_unjudged() -> None:
    """Who asked has given up, and the calls behind it are judged the sooner."""
    gate = Gate()
    batcher = Batcher(gate.judge, max_calls=8, in_flight=1, max_waiting=100, max_wait=0.05)
    task = await run(batcher)
    first = batcher.submit([call("1")])
    await settle()
    late, gone = batcher.submit([call("2")]), batcher.submit([call("3")])
    gone.cancel()
    await asyncio.sleep(0.06)
    fresh = batcher.submit([call("4"), call("5")])
    gate.open.set()
    assert len(await first) == 1
    with pytest.raises(Overloaded, match=r"waited for 0\.05 seconds"):
        await late
    assert len(await fresh) == 2
    assert gate.batches == [["1"], ["4", "5"]]
    task.cancel()


async def test_callers_are_served_in_turn_whoever_asks_most() -> None:
    """The calm caller came last, and is in the first batch after."""
    gate = Gate()
    batcher = Batcher(gate.judge, max_calls=2, in_flight=1, max_waiting=100)
    task = await run(batcher)
    futures = [batcher.submit([call(f"f{number}", principal="flood")]) for number in range(5)]
    futures.append(batcher.submit([call("calm", principal="calm")]))
    gate.open.set()
    await asyncio.gather(*futures)
    assert gate.batches == [["f0", "calm"], ["f1", "f2"], ["f3", "f4"]]
    task.cancel()


async def test_a_flood_is_refused_to_its_caller_only() -> None:
    """There is room in all, but not for one."""
    batcher = Batcher(
        Gate().judge, max_calls=4, in_flight=1, max_waiting=100, max_waiting_per_caller=1
    )
    waiting = [batcher.submit([call("1", principal="flood")])]
    with pytest.raises(Overloaded):
        batcher.submit([call("2", principal="flood")])
    waiting.append(batcher.submit([call("3", principal="calm")]))
    for future in waiting:
        future.cancel()


async def test_a_large_call_is_asked_alone_and_beside_the_small_ones() -> None:
    """While it is judged, and whatever becomes of it, small calls are."""
    gate, large = Gate(), b'{"text":"' + b"x" * LARGE_BYTES + b'"}'

    async def judge(calls: Sequence[Call]) -> list[Judgement]:
        if calls[0].arguments == large:
            return await gate.judge(calls)
        return [judgement(one) for one in calls]

    batcher = Batcher(judge, max_calls=8, in_flight=1, max_waiting=100)
    task = await run(batcher)
    slow = [batcher.submit([call(name, arguments=large)]) for name in ("l1", "l2")]
    small = [batcher.submit([call(name)]) for name in ("s1", "s2")]
    await asyncio.wait_for(asyncio.gather(*small), 5)
    assert gate.batches == [["l1"]]
    gate.open.set()
    await asyncio.gather(*slow)
    assert gate.batches == [["l1"], ["l2"]]
    task.cancel()


async def test_a_batch_is_bounded_in_bytes_too() -> None:
    """A query of everything that waits could not be answered in time."""
    gate = Gate()
    gate.open.set()
    batcher = Batcher(gate.judge, max_calls=100, in_flight=1, max_waiting=100)
    arguments = b'{"text":"' + b"x" * (LARGE_BYTES - 100) + b'"}'
    futures = [batcher.submit([call(str(number), arguments=arguments)]) for number in range(20)]
    task = await run(batcher)
    await asyncio.gather(*futures)
    assert [len(batch) for batch in gate.batches] == [8, 8, 4]
    task.cancel()
