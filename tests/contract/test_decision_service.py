"""The decision service as any gRPC client finds it: health, reflection, errors, batches, streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from pdp.api.v1 import decision_pb2, decision_pb2_grpc, policy_pb2, policy_pb2_grpc, types_pb2
from tests import gateway as gateways
from tests.gateway import Gateway, eventually, gateway

RULES = {
    "tools": {
        "read": {},
        "poll": {"rate_limit": {"max": 2, "window": 600}},
        "drop": {"action": "deny", "reason": "Never."},
        "render": {"rate_limit": {"algorithm": "concurrency", "max": 1, "window": 600}},
        "restart": {"action": "require_approval"},
        "secret": {"action": "hide"},
    }
}
ALLOW, DENY = types_pb2.EFFECT_ALLOW, types_pb2.EFFECT_DENY
HOLD = types_pb2.EFFECT_HOLD
NOBODY = "http://127.0.0.1:9/mcp"


SETTINGS = "[pdp]\nreflection = true"
# One gateway for all tests: each asks as a caller of its own, so that none sees what another took.
pytestmark = pytest.mark.asyncio(loop_scope="module")
_test = {"name": "collected"}


@pytest.fixture(autouse=True)
def caller(request: pytest.FixtureRequest) -> None:
    _test["name"] = request.node.name


def question(server: str, target: str, number: str, **more: Any) -> decision_pb2.DecideRequest:
    """A call of this test, with a request id of its own; an empty `number` is no id."""
    name = _test["name"]
    principal = types_pb2.Principal(id=f"anonymous:{name}", kind="anonymous")
    request_id = number and f"{name} {number}"
    return gateways.question(server, target, request_id, principal=principal, **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tipstaff(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("site")
    async with gateway(folder, {"s": NOBODY}, {"s": RULES}, SETTINGS) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(tipstaff: Gateway) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(tipstaff.address) as one:
        yield one


@pytest.fixture
def service(channel: grpc.aio.Channel) -> decision_pb2_grpc.DecisionServiceStub:
    return decision_pb2_grpc.DecisionServiceStub(channel)


Service = decision_pb2_grpc.DecisionServiceStub


async def test_a_decision_says_what_and_why_and_by_which_rule(service: Service) -> None:
    """A denial is an answer, not an error."""
    allowed = (await service.Decide(question("s", "read", "1"))).decision
    denied = (await service.Decide(question("s", "drop", "2"))).decision
    assert (allowed.effect, allowed.reason.code) == (ALLOW, "allowed")
    assert (denied.effect, denied.reason.code) == (DENY, "denied_by_rule")
    assert denied.reason.message == "Never."
    assert denied.rule == "servers.s.tools.drop"
    assert allowed.revision == denied.revision != ""
    assert len({allowed.decision_id, denied.decision_id}) == 2


async def test_a_call_that_needs_approval_is_held(service: Service) -> None:
    """The code says why, and the approval can be asked for by its name."""
    held = (await service.Decide(question("s", "restart", "1"))).decision
    assert (held.effect, held.reason.code) == (HOLD, "approval_required")
    assert (held.approval.state, bool(held.approval.id)) == ("pending", True)


async def test_a_repeated_request_id_gets_the_first_decision_and_takes_nothing(
    service: Service,
) -> None:
    """Also when the first is still being judged."""
    one = question("s", "poll", "same")
    replies = await asyncio.gather(*(service.Decide(one) for _ in range(5)))
    assert len({reply.decision.decision_id for reply in replies}) == 1
    other = (await service.Decide(question("s", "poll", "other"))).decision
    assert other.limits[0].remaining == 0


async def test_a_refund_gives_back_once(service: Service) -> None:
    """The second says that there was nothing left to give."""
    taken = (await service.Decide(question("s", "poll", "1"))).decision
    refund = decision_pb2.RefundRequest(decision_id=taken.decision_id)
    assert (await service.Refund(refund)).refunded
    assert not (await service.Refund(refund)).refunded
    again = (await service.Decide(question("s", "poll", "2"))).decision
    assert again.limits[0].remaining == 1


async def test_the_end_of_a_call_frees_its_place_once(service: Service) -> None:
    """Until then the next is refused."""
    first = (await service.Decide(question("s", "render", "1"))).decision
    second = (await service.Decide(question("s", "render", "2"))).decision
    assert (first.effect, second.effect) == (ALLOW, DENY)
    finish = decision_pb2.FinishRequest(decision_id=first.decision_id)
    assert (await service.Finish(finish)).freed
    assert not (await service.Finish(finish)).freed
    third = (await service.Decide(question("s", "render", "3"))).decision
    assert third.effect == ALLOW


async def test_a_refusal_of_the_enforcement_point_is_recorded(
    service: Service, tipstaff: Gateway
) -> None:
    """As it was told, with an identifier; no rule is asked and no limit charged."""
    reason = types_pb2.Reason(code="credential_invalid", message="the token has expired")
    report = decision_pb2.ReportRequest(request=question("s", "poll", "1"), reason=reason)
    decision_id = (await service.Report(report)).decision_id
    (record,) = [each for each in tipstaff.judged() if each["decision_id"] == decision_id]
    assert record["effect"] == "deny"
    assert record["reason"] == {"code": "credential_invalid", "message": "the token has expired"}
    assert "limits" not in record
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service.Report(decision_pb2.ReportRequest(request=question("s", "poll", "1")))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_batch_is_judged_by_one_revision_in_order(service: Service) -> None:
    """Two polls fit into the limit, the third does not."""
    tools = ["read", "poll", "drop", "poll", "poll"]
    requests = [question("s", tool, str(number)) for number, tool in enumerate(tools)]
    reply = await service.BatchDecide(decision_pb2.BatchDecideRequest(requests=requests))
    found = [one.decision for one in reply.responses]
    assert [one.effect for one in found] == [ALLOW, ALLOW, DENY, ALLOW, DENY]
    assert found[-1].reason.code == "rate_limited"
    assert len({one.revision for one in found}) == 1


async def test_a_list_is_one_question(service: Service, tipstaff: Gateway) -> None:
    """Its answer names what is hidden; only that is recorded, and nothing is taken."""
    names = ["poll", "secret", "read", "restart", "drop", *["poll", "secret"] * 100]
    request = decision_pb2.FilterListRequest(
        request=question("s", "", "list", phase=types_pb2.PHASE_LIST),
        entries=[decision_pb2.ListEntry(target=name) for name in names],
    )
    reply = await service.FilterList(request)
    hidden = [number for number, name in enumerate(names) if name == "secret"]
    assert list(reply.hidden) == hidden
    ids = {f"{request.request.request_id}.{number}" for number in hidden}
    assert {
        record["request_id"] for record in tipstaff.records() if record["phase"] == "list"
    } == ids
    assert (await service.Decide(question("s", "poll", "1"))).decision.effect == ALLOW


async def test_what_is_no_list_is_refused_with_error_info(service: Service) -> None:
    """A call is no entry of a list."""
    request = decision_pb2.FilterListRequest(request=question("s", "read", "1"))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await service.FilterList(request)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_answers_every_item_and_tells_failures_apart(service: Service) -> None:
    """One bad item spoils nothing for the others."""
    items = [
        decision_pb2.StreamItem(item_id=number, request=question("s", tool, f"r{number}"))
        for number, tool in enumerate(["read", "drop", "read"])
    ]
    items.append(decision_pb2.StreamItem(item_id=9, request=question("", "read", "bad")))
    stream = service.StreamDecide()
    await stream.write(decision_pb2.StreamDecideRequest(items=items))
    await stream.done_writing()
    found = {reply.item_id: reply async for response in stream for reply in response.replies}
    assert sorted(found) == [0, 1, 2, 9]
    assert [found[number].decision.effect for number in range(3)] == [ALLOW, DENY, ALLOW]
    assert found[9].failure.reason == "REQUEST_INVALID"


@pytest.mark.parametrize(
    "request_",
    [
        decision_pb2.DecideRequest(),
        question("", "read", "1"),
        question("s", "read", ""),
        question("s", "read", "1", arguments_json=b"{"),
        question("s", "read", "1", arguments_json=b'{"a":1,"a":2}'),
        question("s", "read", "1", arguments_json=b"[]"),
    ],
    ids=["empty", "no server", "no request id", "no JSON", "a key twice", "no object"],
)
async def test_a_question_that_cannot_be_one_is_refused_with_error_info(
    service: Service, request_: decision_pb2.DecideRequest
) -> None:
    """INVALID_ARGUMENT, a stable reason and our domain; never a decision."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.Decide(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    metadata = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("REQUEST_INVALID", "tipstaff")


async def test_too_large_a_batch_is_refused(service: Service) -> None:
    """128 calls are the most."""
    requests = [question("s", "read", str(number)) for number in range(129)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.BatchDecide(decision_pb2.BatchDecideRequest(requests=requests))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_health_follows_opa(tipstaff: Gateway, channel: grpc.aio.Channel) -> None:
    """SERVING while calls can be judged, NOT_SERVING while OPA is away."""
    health = health_pb2_grpc.HealthStub(channel)

    async def is_serving(wanted: bool = True) -> bool:
        request = health_pb2.HealthCheckRequest(service="tipstaff.decision.v1.DecisionService")
        status = (await health.Check(request)).status
        return (status == health_pb2.HealthCheckResponse.SERVING) is wanted

    assert await is_serving()
    tipstaff.kill("opa run")
    await eventually(is_serving, 5)


async def test_reflection_names_the_services_when_asked_for(channel: grpc.aio.Channel) -> None:
    """So that grpcurl needs no proto file."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    replies = stub.ServerReflectionInfo(iter([request]))
    async for reply in replies:
        names = {one.name for one in reply.list_services_response.service}
        break
    assert {"tipstaff.decision.v1.DecisionService", "tipstaff.decision.v1.PolicyService"} <= names


async def test_the_state_of_the_policy_tells_what_failed_to_load(tmp_path: Path) -> None:
    """The revision stays, and the error names the file and the key."""
    async with (
        gateway(tmp_path, {"s": NOBODY}, {"s": RULES}) as own,
        grpc.aio.insecure_channel(own.address) as channel,
    ):
        policy = policy_pb2_grpc.PolicyServiceStub(channel)
        before = await policy.GetStatus(policy_pb2.GetStatusRequest())
        assert before.ready
        assert not before.last_error
        own.rules("s", "tools: {read: {acton: deny}}")

        async def failed() -> bool:
            status = await policy.GetStatus(policy_pb2.GetStatusRequest())
            assert status.revision == before.revision
            return "acton" in status.last_error and "data.yaml:1" in status.last_error

        await eventually(failed)
