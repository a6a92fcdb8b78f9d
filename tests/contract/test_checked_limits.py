"""Whatever limit `tipstaff check` accepts can be judged, given back, recorded and sent, on every store."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from pdp import answer as policy
from pdp.answer import LARGEST, MAX_LIMIT, MAX_RATE, MAX_WINDOW, PolicyAnswer
from pdp.api import bounds, codec
from pdp.api.model import Effect
from pdp.api.v1 import types_pb2
from pdp.fold import fold
from pdp.limits.algorithms import SECOND
from pdp.limits.budgets import Claim, budgets
from pdp.limits.redis import RedisStore
from pdp.limits.store import MemoryStore, SqliteStore
from pdp.records import record
from pdp.rules import server_rules
from tests import redis_server
from tests.calls import call

NOW = 1_790_000_000 * SECOND
# As `mcp.lib.defaults` has them.
SILENT = {"scope": "session", "algorithm": "sliding_log", "cost": 1, "on_store_error": "deny"}
_numbers = itertools.count()


def whole(most: int) -> st.SearchStrategy[int]:
    """Whole numbers, those at an edge first of all."""
    edges = [1, 2, 1000, 1001, most - 1, most]
    return st.sampled_from([edge for edge in edges if 1 <= edge <= most]) | st.integers(1, most)


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    """One limit as people write it, with any of its keys left out."""
    algorithm = draw(st.sampled_from(["", *LARGEST]))
    largest = LARGEST[algorithm or "sliding_log"]
    limit: dict[str, Any] = {"max": draw(whole(largest)), "window": draw(whole(MAX_WINDOW))}
    if algorithm:
        limit["algorithm"] = algorithm
    if algorithm == "gcra" and draw(st.booleans()):
        limit["burst"] = draw(whole(limit["max"]))
    if draw(st.booleans()):
        limit["cost"] = draw(whole(limit.get("burst", limit["max"])))
    for key, values in (
        ("scope", server_rules.SCOPES),
        ("shadow", (True, False)),
        ("on_store_error", server_rules.ON_STORE_ERROR),
    ):
        if draw(st.booleans()):
            limit[key] = draw(st.sampled_from(values))
    return limit


def answered(limit: dict[str, Any], name: str) -> PolicyAnswer:
    """What the policy answers for a rule with this limit, once `check` has accepted it."""
    text = json.dumps({"tools": {"read": {"rate_limit": limit}}})
    accepted = server_rules.validate(text, "data.yaml", None)["tools"]["read"]["rate_limit"]
    said = {
        "effect": "allow",
        "reason": {"code": "allowed", "message": ""},
        "rule": "servers.files.tools.read",
        "hidden": False,
        "limits": [{**SILENT, **accepted, "name": name, "rule": "servers.files.tools.read"}],
        "checks": [],
        "obligations": [],
        "shadow": [],
    }
    (answer,) = policy.read(200, json.dumps({"result": {"0": said}}).encode(), 1).answers
    assert isinstance(answer, PolicyAnswer), answer
    return answer


def judged(runner: asyncio.Runner, store: Any, limit: dict[str, Any], factor: int) -> None:
    """One call from the answer of the policy to the bytes on the wire, and given back."""
    number = next(_numbers)
    answer, caller = answered(limit, f"files/read{number}"), call(f"r{number}", session="s")
    take = getattr(store, "take_at", None) or store.take
    claim = Claim(caller.request_id, budgets(answer.limits, caller, factor))
    (taken,) = runner.run(take([claim], NOW))
    assert taken is not None
    decision = fold("d", "rev", answer, None, taken)
    assert decision.effect is Effect.ALLOW
    assert all(0 <= result.remaining < result.max <= MAX_RATE for result in decision.limits)
    sent = codec.decision_to_wire(decision).SerializeToString()
    assert codec.decision_from_wire(types_pb2.Decision.FromString(sent)) == decision
    timings = record.Timings(1, 2)
    line = record.line(caller, decision, now_ns=NOW * 1000, labels={}, timings=timings)
    assert len(json.loads(line)["limits"]) == len(claim.budgets)
    assert taken.grant is not None
    runner.run(store.give_back([taken.grant]))
    repeat = structs.replace(claim, request_id=f"again{number}")
    (again,) = runner.run(take([repeat], NOW))
    assert again is not None
    assert again.results == taken.results


@pytest.fixture(params=["memory", "sqlite", *redis_server.KINDS])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Opens a store of the kind."""
    if request.param == "memory":
        yield MemoryStore
    elif request.param == "sqlite":
        yield lambda: SqliteStore(tmp_path / "limits.db", NOW)
    else:
        with redis_server.running(request.param, tmp_path) as server:
            yield lambda: RedisStore(server.url, 10_000, f"t{next(_numbers)}:")


@given(written(), whole(10**30))
@example({"max": 1001, "window": 60}, 10)
@example({"max": MAX_LIMIT, "window": MAX_WINDOW, "cost": MAX_LIMIT}, 10)
@example({"max": MAX_LIMIT, "window": 60, "algorithm": "concurrency"}, 1000)
@example({"max": MAX_RATE, "window": 1, "algorithm": "gcra", "burst": MAX_RATE}, 10**30)
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_limit_that_check_accepts_can_be_judged_recorded_and_sent(
    opened: Callable[[], Any], limit: dict[str, Any], factor: int
) -> None:
    """Its companion too, however large it and the factor are; and what it took can be given back."""
    with asyncio.Runner() as runner:
        store = runner.run(_made(opened))
        try:
            judged(runner, store, limit, factor)
        finally:
            closing = getattr(store, "close", lambda: None)()
            if closing is not None:
                runner.run(closing)


async def _made(opened: Callable[[], Any]) -> Any:
    return opened()


@pytest.mark.parametrize("length", [1, 512])
def test_a_limit_with_the_longest_name_that_check_accepts_can_be_judged(length: int) -> None:
    """A longer one is refused where it stands, not at every call."""
    name = "n" * length
    limits = [{"name": name, "max": 1, "window": 60}]
    accepted = server_rules.validate(json.dumps({"limits": limits}), "data.yaml", None)["limits"]
    assert answered({"max": 1, "window": 60}, f"{'s' * 63}:{accepted[0]['name']}").limits


@pytest.mark.parametrize("section", ["tools", "prompts", "resources"])
def test_a_limit_of_the_longest_target_can_be_judged(section: str) -> None:
    """Its name holds the name of what it is a limit of."""
    target = "x:" + "t" * (bounds.MAX_TARGET - 2)
    rule = {"rate_limit": [{"max": 1, "window": 60}, {"max": 9, "window": 3600}]}
    server_rules.validate(yaml.safe_dump({section: {target: rule}}), "data.yaml", None)
    assert answered({"max": 1, "window": 60}, f"{'s' * 63}/{target}#1").limits
