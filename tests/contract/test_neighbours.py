"""What one call costs, or does wrong, is not paid by those that are judged beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from pdp.api.v1 import decision_pb2, decision_pb2_grpc, types_pb2
from tests.gateway import Gateway, decisions, gateway, question

RULES = {"tools": {"read": {}, "drop": {"action": "deny"}, "slow": {}}}
# Takes OPA many seconds.
SLOW = """package site.slow

deny contains {"code": "slow", "message": "too slow"} if {
	input.target == "slow"
	some x in numbers.range(1, 100000)
	some y in numbers.range(1, 100000)
	x * y == 0
}
"""
ALLOW, DENY = types_pb2.EFFECT_ALLOW, types_pb2.EFFECT_DENY

Service = decision_pb2_grpc.DecisionServiceStub


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    rule = tmp_path / "policy" / "site" / "slow" / "slow.rego"
    rule.parent.mkdir(parents=True)
    rule.write_text(SLOW)
    settings = "[opa]\ntimeout_ms = 800"
    async with gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"}, {"s": RULES}, settings) as one:
        yield one


@pytest.fixture
async def service(tipstaff: Gateway) -> AsyncIterator[Service]:
    async with decisions(tipstaff.address) as one:
        yield one


async def test_a_call_that_takes_too_long_is_refused_alone(service: Service) -> None:
    """Those of its batch are asked again, all at once, so that it is waited for only once more."""
    requests = [question("s", "read", f"r{number}") for number in range(10)]
    requests.insert(4, question("s", "slow", "slow"))
    began = time.monotonic()
    reply = await service.BatchDecide(decision_pb2.BatchDecideRequest(requests=requests))
    took = time.monotonic() - began
    effects = [one.decision.effect for one in reply.responses]
    assert effects == [ALLOW] * 4 + [DENY] + [ALLOW] * 6
    assert reply.responses[4].decision.reason.code == "policy_unavailable"
    assert took < 3


async def test_small_calls_are_judged_while_large_ones_are(service: Service) -> None:
    """Four calls of 3.5 MB, each of as many values as a call may have, delay none of a hundred.

    They are answered as well; whether OPA can do so in time is their own affair.
    """
    entries = b",".join(b'"key%05d":"%s"' % (number, b"x" * 20) for number in range(99_000))
    large = b'{"values":{' + entries + b"}}"
    bulky = [
        asyncio.ensure_future(
            service.Decide(
                question("s", "read", f"large{number}", arguments_json=large), timeout=30
            )
        )
        for number in range(4)
    ]
    slowest = 0.0
    for number in range(100):
        began = time.monotonic()
        answer = await service.Decide(question("s", "drop", f"small{number}"), timeout=5)
        slowest = max(slowest, time.monotonic() - began)
        assert answer.decision.reason.code == "denied_by_rule"
    assert slowest < 1
    answers = await asyncio.gather(*bulky)
    assert {answer.decision.reason.code for answer in answers} <= {"allowed", "policy_unavailable"}


async def test_a_stream_that_ends_is_answered_to_the_last_large_call(service: Service) -> None:
    """They are read beside the others, and not forgotten; a bad one fails alone."""
    large = b'{"text":"' + b"x" * 1_000_000 + b'"}'
    bodies = {1: large, 2: b"{}", 3: large[:-1], 4: large}
    items = [
        decision_pb2.StreamItem(
            item_id=number, request=question("s", "read", f"r{number}", arguments_json=body)
        )
        for number, body in bodies.items()
    ]
    stream = service.StreamDecide()
    await stream.write(decision_pb2.StreamDecideRequest(items=items))
    await stream.done_writing()
    outcomes: dict[int, str] = {}
    while (reply := await stream.read()) is not grpc.aio.EOF:
        outcomes |= {one.item_id: one.WhichOneof("outcome") for one in reply.replies}
    assert outcomes == {1: "decision", 2: "decision", 3: "failure", 4: "decision"}


async def test_more_large_calls_than_may_wait_are_refused_at_once(service: Service) -> None:
    """Each of them is in memory. They take longer to be read than to arrive."""
    large = b'{"list":[' + b'"xxxxxxxx",' * 90_000 + b"1]}"
    asked = [
        service.Decide(question("s", "read", f"r{number}", arguments_json=large), timeout=30)
        for number in range(40)
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert {error.code() for error in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(answers) - len(refused) > 0
    assert (await service.Decide(question("s", "drop", "x"))).decision.effect == DENY
