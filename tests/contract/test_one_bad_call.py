"""A call that nobody can judge, record or send is refused alone, on real stores and over real gRPC."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from pdp.answer import BatchAnswer, Limit, PolicyAnswer
from pdp.api import codec
from pdp.api.model import Call, Decision, Effect, Reason
from pdp.api.v1 import decision_pb2, decision_pb2_grpc, types_pb2
from pdp.approvals.approvals import Approvals
from pdp.approvals.store import SqliteApprovals
from pdp.decide import Judgement, Parts, judge, report
from pdp.explain import Explainer
from pdp.grpc.batching import Batcher
from pdp.grpc.decisions import DecisionService
from pdp.grpc.idempotency import Idempotency
from pdp.grpc.lists import Lists
from pdp.limits.budgets import Budget, Claim
from pdp.limits.counters import key_of, subject_of
from pdp.limits.fallback import FallbackStore
from pdp.limits.redis import RedisStore
from pdp.limits.store import MemoryStore, SqliteStore
from pdp.tools.catalogue import Catalogues
from pdp.tools.changed_tools import Sightings
from tests import redis_server
from tests.calls import call
from tests.fakes import FakeEngine, ListJournal, SimulatedClock
from tests.gateway import question

LIMIT = Limit("files/read", "session", 2, 3600)
ANSWER = PolicyAnswer(Effect.ALLOW, Reason("allowed", ""), "r", limits=(LIMIT,))
_numbers = itertools.count(1)


def parts(store: Any) -> Parts:
    """The story over a real store; the policy allows everything within its limit."""
    catalogues = Catalogues()
    catalogues.add("rev", {})
    catalogues.put_in_force("rev")
    return Parts(
        engine=FakeEngine(lambda asked: BatchAnswer((ANSWER,) * len(asked), "rev")),
        store=store,
        journal=ListJournal(),
        drift=Sightings(),
        clock=SimulatedClock(),
        new_id=lambda: f"d{next(_numbers)}",
        catalogues=catalogues,
        labels={},
        unexpected=lambda error: None,
    )


def codes(judgements: list[Judgement]) -> list[str]:
    return [judgement.decision.reason.code for judgement in judgements]


def sessions(*names: str) -> list[Call]:
    """A call of each of these sessions."""
    return [call(f"r{next(_numbers)}", session=name, principal=name) for name in names]


async def test_a_damaged_counter_refuses_its_own_caller_only(tmp_path: Path) -> None:
    """Half a number in the file: the batch is asked for again, claim by claim, and nothing twice."""
    path = tmp_path / "limits.db"
    story = parts(SqliteStore(path, 0))
    with sqlite3.connect(path) as database:
        row = (key_of(LIMIT, subject_of(sessions("b")[0])), 2**62, b"abc")
        database.execute("INSERT INTO counters VALUES (?, ?, ?)", row)
    database.close()
    for _ in range(2):
        judgements = await judge(sessions("a", "b", "c"), story)
        assert codes(judgements) == ["allowed", "internal_error", "allowed"]
    assert codes(await judge(sessions("a", "c", "d"), story)) == [
        "rate_limited",
        "rate_limited",
        "allowed",
    ]
    story.store.close()  # type: ignore[attr-defined]


@pytest.fixture(params=redis_server.KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[redis_server.Server]:
    with redis_server.running(request.param, tmp_path) as one:
        yield one


async def test_a_counter_of_another_kind_refuses_its_own_caller_only(
    server: redis_server.Server,
) -> None:
    """Not even for a while, as a server that is away would: it answers, and stays asked."""
    store = RedisStore(server.url, 1000, "t:")
    story = parts(FallbackStore(store, 1))
    await store._client.set("t:" + key_of(LIMIT, subject_of(sessions("b")[0])), "x")
    for _ in range(6):
        fresh = [f"s{next(_numbers)}" for _ in range(2)]
        judgements = await judge(sessions(fresh[0], "b", fresh[1]), story)
        assert codes(judgements) == ["allowed", "rate_limit_unavailable", "allowed"]
        again = await judge(sessions(*fresh), story)
        assert [one.decision.limits[0].remaining for one in again] == [0, 0]
    await store.close()


async def test_a_request_that_was_undone_is_not_granted_afterwards(
    server: redis_server.Server,
) -> None:
    """Its budget has gone back already; there is no limit to name that refused it."""
    store = RedisStore(server.url, 1000, "t:")
    story, (caller,) = parts(store), sessions("a")
    await store._return("void", caller.request_id, ())
    assert codes(await judge([caller], story)) == ["rate_limit_unavailable"]
    await store.close()


async def test_what_cannot_be_given_back_does_not_hold_up_the_rest(
    server: redis_server.Server,
) -> None:
    """Of what a server that hung took for nobody; the one that is refused stays taken."""
    store = RedisStore(server.url, 1000, "t:")
    bad, good = (Claim(name, (Budget(name, LIMIT),)) for name in ("bad", "good"))
    await store.take([good], 0)
    await store._client.set("t:request:bad", "1 0 1")
    await store._client.set("t:bad", "x")
    store._doubt([bad, good])
    async with asyncio.timeout(10):
        while store._doubtful:
            await asyncio.sleep(0.05)
    assert not await store._client.exists("t:good")
    await store.close()


async def test_limits_do_as_their_rules_say_for_a_claim_that_cannot_be_asked() -> None:
    """Its neighbours have been asked."""
    memory = MemoryStore()

    class Half(MemoryStore):
        async def take(self, claims: Any, now: int) -> Any:
            taken = await memory.take(claims, now)
            return [None if claim.request_id == "b" else one
                    for claim, one in zip(claims, taken, strict=True)]  # fmt: skip

    local = Limit("l", "session", 9, 60, on_store_error="local")
    claims = [Claim(name, (Budget("k", local),)) for name in "abc"]
    taken = await FallbackStore(Half(), 3).take(claims, 1)
    assert [one.results[0].max for one in taken if one] == [9, 3, 9]


async def test_a_grant_that_is_refused_locally_is_no_error_of_its_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The memory of a service whose store is away is bounded, too."""
    monkeypatch.setattr("pdp.limits.store.MAX_MEMORY_KEYS", 1)
    away = MemoryStore()
    away._units = {"k": (2**62,)}
    local = Limit("l", "session", 9, 60, on_store_error="local")
    claims = [Claim(name, (Budget(name, local),)) for name in "ab"]
    first, second = await FallbackStore(away, 1).take(claims, 1)
    assert first is not None
    assert second is None


@pytest.fixture
async def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[decision_pb2_grpc.DecisionServiceStub, Parts]]:
    """The service over gRPC, whose codec fails at the end of every decision about the session "b"."""
    story = parts(MemoryStore())
    real, bad = codec.write_decision, []

    async def judged(calls: Any) -> list[Judgement]:
        judgements = await judge(calls, story)
        bad.extend(
            judgement.decision.decision_id
            for one, judgement in zip(calls, judgements, strict=True)
            if one.session.id == "b"
        )
        return judgements

    def write(decision: Decision, message: types_pb2.Decision) -> None:
        real(decision, message)
        if decision.decision_id in bad:
            raise ValueError("Value out of range")

    monkeypatch.setattr(codec, "write_decision", write)
    batcher = Batcher(judged, max_calls=32, in_flight=1, max_waiting=100)
    working = asyncio.ensure_future(batcher.run())
    server, address = grpc.aio.server(), f"unix:{tmp_path / 's.sock'}"
    store = SqliteApprovals(None, lambda: 0)
    approvals = Approvals(store, story.journal, dict)
    service = DecisionService(
        Idempotency(batcher, story.store),
        partial(report, parts=story),
        Explainer(story, 1).explain,
        approvals,
        Lists(batcher),
    )
    decision_pb2_grpc.add_DecisionServiceServicer_to_server(service, server)
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield decision_pb2_grpc.DecisionServiceStub(channel), story
    await server.stop(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await store.close()


@pytest.mark.parametrize("way", ["Decide", "BatchDecide", "StreamDecide"])
async def test_a_decision_that_cannot_be_sent_is_undone_and_denied_on_record(
    served: tuple[decision_pb2_grpc.DecisionServiceStub, Parts], way: str
) -> None:
    """Whichever way it was asked for; the answers beside it are sent."""
    service, story = served
    requests = [question("s", "read", f"{way}{name}", name) for name in "abc"]
    if way == "Decide":
        replies = [(await service.Decide(one, timeout=5)).decision for one in requests]
    elif way == "BatchDecide":
        asked = decision_pb2.BatchDecideRequest(requests=requests)
        replies = [one.decision for one in (await service.BatchDecide(asked, timeout=5)).responses]
    else:
        stream = service.StreamDecide(timeout=5)
        items = [
            decision_pb2.StreamItem(item_id=number, request=one)
            for number, one in enumerate(requests)
        ]
        await stream.write(decision_pb2.StreamDecideRequest(items=items))
        await stream.done_writing()
        found = {one.item_id: one.decision async for part in stream for one in part.replies}
        replies = [found[number] for number in range(3)]
    assert [one.reason.code for one in replies] == ["allowed", "internal_error", "allowed"]
    assert replies[1].effect == types_pb2.EFFECT_DENY
    assert isinstance(story.journal, ListJournal)
    ids = {one["decision_id"]: one["reason"]["code"] for one in story.journal.records()}
    assert ids[replies[1].decision_id] == "internal_error"
    state = await story.store.state()
    assert not any("1:b" in key for key in state)
