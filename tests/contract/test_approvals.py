"""Approvals over gRPC, against the real service: held, answered, used once, and never otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc, decision_pb2, decision_pb2_grpc, types_pb2
from tests.gateway import Gateway, question

NOBODY = "http://127.0.0.1:9/mcp"
TERMS: dict[str, dict[str, Any]] = {
    "reboot": {},
    "pay": {"approvers": ["finance"], "count": 2},
    "drop": {"note": "always", "not_self": False},
    "soon": {"decide_within": 1},
    "brief": {"use_within": 1},
    "read": {"standing": {"max": 60, "match": ["/path"]}},
}
RULES = {
    "tools": {
        **{
            name: {"action": "require_approval", "reason": f"Ask about {name}.", "approval": terms}
            for name, terms in TERMS.items()
        },
        "scarce": {"action": "require_approval", "rate_limit": {"max": 1, "window": 600}},
    }
}
PEOPLE = """
[[approvals.people]]
id = "ana"
groups = ["finance", "ops"]
principals = ["token:ana-agent"]
[[approvals.people]]
id = "bo"
groups = ["finance"]
[[approvals.people]]
id = "cy"
"""
ALLOW, DENY, HOLD = types_pb2.EFFECT_ALLOW, types_pb2.EFFECT_DENY, types_pb2.EFFECT_HOLD
# One gateway for all tests: each asks as a caller of its own, so that none sees what another began.
pytestmark = pytest.mark.asyncio(loop_scope="module")
_test = {"name": "collected", "number": "0"}


class Services(NamedTuple):
    """The stubs of one channel, and the gateway they reach."""

    decisions: Any
    approvals: Any
    tipstaff: Gateway


@pytest.fixture(autouse=True)
def caller(request: pytest.FixtureRequest) -> None:
    _test["name"] = request.node.name


@contextlib.asynccontextmanager
async def services_of(tipstaff: Gateway) -> AsyncIterator[Services]:
    async with grpc.aio.insecure_channel(tipstaff.address) as channel:
        yield Services(
            decision_pb2_grpc.DecisionServiceStub(channel),
            approvals_pb2_grpc.ApprovalServiceStub(channel),
            tipstaff,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tipstaff(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("approvals")
    gateway = Gateway(folder, {"s": NOBODY}, settings=PEOPLE)
    gateway.rules("s", RULES)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def services(tipstaff: Gateway) -> AsyncIterator[Services]:
    async with services_of(tipstaff) as stubs:
        yield stubs


def call(target: str, arguments: bytes = b"{}", **more: Any) -> decision_pb2.DecideRequest:
    """A call of this test's caller, with a request id of its own."""
    _test["number"] = str(int(_test["number"]) + 1)
    principal = more.pop("principal", None) or types_pb2.Principal(
        id=f"anonymous:{_test['name']}", kind="anonymous"
    )
    request_id = f"{_test['name'][:80]} {_test['number']}"
    return question("s", target, request_id, principal=principal, arguments_json=arguments, **more)


async def decide(services: Services, *given: Any, **more: Any) -> types_pb2.Decision:
    return (await services.decisions.Decide(call(*given, **more), timeout=10)).decision


def by(person: str, *groups: str, method: str = "cli") -> approvals_pb2.Approver:
    return approvals_pb2.Approver(id=person, groups=groups, method=method)


async def grant(services: Services, approval_id: str, person: str = "cy", **more: Any) -> Any:
    request = approvals_pb2.ApprovalServiceGrantRequest(
        id=approval_id, approver=more.pop("approver", by(person)), **more
    )
    return (await services.approvals.Grant(request, timeout=10)).call


async def refuse(services: Services, approval_id: str, person: str = "cy", **more: Any) -> Any:
    request = approvals_pb2.ApprovalServiceRefuseRequest(
        id=approval_id, approver=by(person), **more
    )
    return (await services.approvals.Refuse(request, timeout=10)).call


async def refused_reason(answer: Any) -> str:
    """The stable reason of an answer that does not count."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    status = rpc_status.from_call(caught.value)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return info.reason


def state(held: approvals_pb2.HeldCall) -> str:
    return approvals_pb2.ApprovalState.Name(held.state).removeprefix("APPROVAL_STATE_").lower()


async def test_a_granted_call_goes_on_once(services: Services) -> None:
    """The next equal call is asked about anew."""
    held = await decide(services, "reboot")
    assert (held.effect, held.reason.message) == (HOLD, "Ask about reboot.")
    assert state(await grant(services, held.approval.id)) == "granted"
    allowed = await decide(services, "reboot")
    assert (allowed.effect, allowed.approval.id) == (ALLOW, held.approval.id)
    assert allowed.approval.state == "used"
    again = await decide(services, "reboot")
    assert again.effect == HOLD
    assert again.approval.id != held.approval.id


async def test_an_equal_call_joins_and_another_does_not(services: Services) -> None:
    """Equal is what differs in nothing but the order of its members and its white space."""
    first = await decide(services, "reboot", b'{"a": 1, "b": [1.0]}')
    joined = await decide(services, "reboot", b'{"b":[1.0],"a":1}')
    other = await decide(services, "reboot", b'{"a": 1, "b": [1.00]}')
    assert joined.approval.id == first.approval.id != other.approval.id
    request = approvals_pb2.ApprovalServiceGetRequest(id=first.approval.id)
    assert (await services.approvals.Get(request)).call.joined == 2


async def test_of_many_equal_calls_one_goes_on(services: Services) -> None:
    """However many race for the grant."""
    held = await decide(services, "reboot")
    await grant(services, held.approval.id)
    racing = await asyncio.gather(*(decide(services, "reboot") for _ in range(20)))
    assert [decision.effect for decision in racing].count(ALLOW) == 1
    assert {decision.effect for decision in racing} == {ALLOW, HOLD}


async def test_a_lost_reply_may_be_asked_for_again(services: Services) -> None:
    """The request that used the grant gets its allow again, and no other request does."""
    held = await decide(services, "reboot")
    await grant(services, held.approval.id)
    request = call("reboot")
    first = (await services.decisions.Decide(request)).decision
    again = (await services.decisions.Decide(request)).decision
    assert first.effect == again.effect == ALLOW
    assert first.decision_id == again.decision_id


async def test_a_refusal_reaches_the_agent_and_stands(services: Services) -> None:
    """An agent that asks again does not ask a person again."""
    held = await decide(services, "reboot")
    await refuse(services, held.approval.id, note="Not on a Friday. password=hunter2hunter2")
    denied = await decide(services, "reboot")
    assert (denied.effect, denied.reason.code) == (DENY, "approval_refused")
    assert "Not on a Friday." in denied.reason.message
    assert "hunter2" not in denied.reason.message
    assert (await decide(services, "reboot")).approval.id == held.approval.id


async def test_what_was_not_answered_in_time_expires(services: Services) -> None:
    """Whoever waited is told; a new call is asked about anew."""
    held = await decide(services, "soon")
    wait = decision_pb2.AwaitApprovalRequest(approval_id=held.approval.id, wait_ms=5000)
    assert (await services.decisions.AwaitApproval(wait)).approval.state == "expired"
    after = await decide(services, "soon", approval_id=held.approval.id)
    assert (after.effect, after.reason.code) == (DENY, "approval_expired")
    assert await refused_reason(grant(services, held.approval.id)) == "APPROVAL_ENDED"
    assert (await decide(services, "soon")).approval.id != held.approval.id


async def test_a_grant_lapses(services: Services) -> None:
    """It is for now, not for some day."""
    held = await decide(services, "brief")
    await grant(services, held.approval.id)
    await asyncio.sleep(1.1)
    assert (await decide(services, "brief")).effect == HOLD


async def test_a_quorum_counts_people_of_its_groups(services: Services) -> None:
    """Not clicks, not others, and not the person behind the caller."""
    agent = types_pb2.Principal(id="token:ana-agent", kind="token")
    arguments = b'{"amount": 5}'
    held = await decide(services, "pay", arguments, principal=agent)
    approval = held.approval.id
    assert list(held.approval.approvers) == ["finance"]
    assert await refused_reason(grant(services, approval, "cy")) == "APPROVER_NOT_ALLOWED"
    assert await refused_reason(grant(services, approval, "dave")) == "APPROVER_NOT_ALLOWED"
    assert await refused_reason(grant(services, approval, "ana")) == "APPROVAL_OF_OWN_CALL"
    for _ in range(2):
        assert state(await grant(services, approval, "bo")) == "pending"
    assert (await decide(services, "pay", arguments, principal=agent)).effect == HOLD
    guest = by("eve", "finance", method="oidc")
    assert state(await grant(services, approval, approver=guest)) == "granted"
    assert (await decide(services, "pay", arguments, principal=agent)).effect == ALLOW


async def test_a_self_confirmation_is_on_record(services: Services) -> None:
    """Where the rule allows it, and with the note that it wants."""
    agent = types_pb2.Principal(id="token:ana-agent", kind="token")
    held = await decide(services, "drop", principal=agent)
    assert await refused_reason(grant(services, held.approval.id, "ana")) == "NOTE_MISSING"
    await grant(services, held.approval.id, "ana", note="mine")
    lines = [
        line
        for line in services.tipstaff.approval_records()
        if line["approval_id"] == held.approval.id
    ]
    assert [line["state"] for line in lines] == ["pending", "granted"]
    assert (lines[1]["by"], lines[1]["note"]) == ("ana", "mine")
    assert lines[1]["self_confirmed"] is True


async def test_a_stale_page_decides_nothing(services: Services) -> None:
    """The digest that a person was shown is that of the call."""
    held = await decide(services, "reboot", b'{"x": 1}')
    other = await decide(services, "reboot", b'{"x": 2}')
    request = approvals_pb2.ApprovalServiceGetRequest(id=other.approval.id)
    digest = (await services.approvals.Get(request)).call.digest
    answer = grant(services, held.approval.id, digest=digest)
    assert await refused_reason(answer) == "APPROVAL_STALE"
    assert (await decide(services, "reboot", b'{"x": 1}')).effect == HOLD


async def test_a_grant_that_a_limit_refuses_stays(services: Services) -> None:
    """Limits are taken when the call goes on, and only then."""
    first = await decide(services, "scarce", b'{"x": 1}')
    second = await decide(services, "scarce", b'{"x": 2}')
    for held in (first, second):
        await grant(services, held.approval.id)
    assert (await decide(services, "scarce", b'{"x": 1}')).effect == ALLOW
    limited = await decide(services, "scarce", b'{"x": 2}')
    assert (limited.effect, limited.reason.code) == (DENY, "rate_limited")
    assert limited.approval.state == "granted"


async def test_a_standing_grant_lets_equal_calls_pass_until_it_is_taken_back(
    services: Services,
) -> None:
    """Equal in the arguments that the rule names."""
    held = await decide(services, "read", b'{"path": "/a", "page": 1}')
    seen = await grant(services, held.approval.id, standing_seconds=60)
    assert seen.is_standing
    for page in (2, 3):
        allowed = await decide(services, "read", b'{"path": "/a", "page": %d}' % page)
        assert (allowed.effect, allowed.approval.id) == (ALLOW, held.approval.id)
    assert (await decide(services, "read", b'{"path": "/b", "page": 1}')).effect == HOLD
    request = approvals_pb2.ApprovalServiceWithdrawRequest(id=held.approval.id, approver=by("cy"))
    assert state((await services.approvals.Withdraw(request)).call) == "void"
    assert (await decide(services, "read", b'{"path": "/a", "page": 4}')).effect == HOLD


@pytest.mark.parametrize("seconds", [61, -1])
async def test_a_grant_stands_no_longer_than_the_rule_allows(
    services: Services, seconds: int
) -> None:
    """Nor for less than nothing."""
    held = await decide(services, "read", b'{"path": "/c"}')
    answer = grant(services, held.approval.id, standing_seconds=seconds)
    assert await refused_reason(answer) == "STANDING_NOT_ALLOWED"


async def test_one_caller_fills_its_share_and_no_more(services: Services) -> None:
    """Its next call is refused, and that of another caller is held."""
    for number in range(20):
        assert (await decide(services, "reboot", b'{"n": %d}' % number)).effect == HOLD
    full = await decide(services, "reboot", b'{"n": 20}')
    assert (full.effect, full.reason.code) == (DENY, "approval_overload")
    other = types_pb2.Principal(id="anonymous:other", kind="anonymous")
    assert (await decide(services, "reboot", principal=other)).effect == HOLD


async def test_who_watches_sees_every_change(services: Services) -> None:
    """From the moment that the stream says that it has begun."""
    stream = services.approvals.Watch(approvals_pb2.ApprovalServiceWatchRequest(), timeout=20)
    assert not (await stream.read()).HasField("call")
    held = await decide(services, "reboot")
    await grant(services, held.approval.id)
    await decide(services, "reboot")
    states: list[str] = []
    while len(states) < 3:
        change = (await stream.read()).call
        if change.id == held.approval.id:
            states.append(state(change))
    stream.cancel()
    assert states == ["pending", "granted", "used"]


async def test_who_waits_is_woken_by_the_answer(services: Services) -> None:
    """And is seen to wait meanwhile."""
    held = await decide(services, "reboot")
    wait = decision_pb2.AwaitApprovalRequest(approval_id=held.approval.id, wait_ms=20_000)
    waiting = asyncio.ensure_future(services.decisions.AwaitApproval(wait))
    request = approvals_pb2.ApprovalServiceGetRequest(id=held.approval.id)
    while not (await services.approvals.Get(request)).call.waiting:
        await asyncio.sleep(0.01)
    await grant(services, held.approval.id)
    assert (await asyncio.wait_for(waiting, 2)).approval.state == "granted"


async def test_an_unknown_approval_is_no_approval(services: Services) -> None:
    """Whatever is asked of it."""
    for answer in (
        grant(services, "a-none"),
        refuse(services, "a-none"),
        services.approvals.Get(approvals_pb2.ApprovalServiceGetRequest(id="a-none")),
        services.decisions.AwaitApproval(decision_pb2.AwaitApprovalRequest(approval_id="a-none")),
    ):
        assert await refused_reason(answer) == "APPROVAL_UNKNOWN"


async def test_secrets_in_arguments_are_shown_to_nobody(services: Services) -> None:
    """What a person is asked about is the masked call; what is approved is the call itself."""
    secret = b'{"password": "canary-7f1", "path": "/x"}'
    held = await decide(services, "reboot", secret)
    request = approvals_pb2.ApprovalServiceGetRequest(id=held.approval.id)
    seen = (await services.approvals.Get(request)).call
    assert b"/x" in seen.arguments_json
    assert b"canary" not in seen.SerializeToString()
    await grant(services, held.approval.id)
    other = await decide(services, "reboot", secret.replace(b"7f1", b"7f2"))
    assert other.effect == HOLD
    assert (await decide(services, "reboot", secret)).effect == ALLOW
    state_folder = services.tipstaff.folder / "state"
    for path in state_folder.rglob("*"):
        if path.is_file():
            assert b"canary-7f" not in path.read_bytes(), path


async def test_a_lost_answer_leaves_an_unknown_end(services: Services) -> None:
    """Nobody can tell whether the server has done it."""
    held = await decide(services, "reboot")
    await grant(services, held.approval.id)
    allowed = await decide(services, "reboot")
    lost = decision_pb2.FinishRequest(decision_id=allowed.decision_id, answer_lost=True)
    await services.decisions.Finish(lost)
    request = approvals_pb2.ApprovalServiceGetRequest(id=held.approval.id)
    assert state((await services.approvals.Get(request)).call) == "unknown"


async def test_a_list_is_never_too_large_to_be_read(services: Services) -> None:
    """Callers choose how large their arguments are; whoever lists takes what a client takes by itself."""
    large = "x" * 240_000
    for number in range(18):
        held = await decide(services, "reboot", b'{"n": %d, "x": "%s"}' % (number, large.encode()))
        assert held.effect == HOLD
    caller = f"anonymous:{_test['name']}"
    request = approvals_pb2.ApprovalServiceListRequest(principal=caller, page_size=1000)
    listed = await services.approvals.List(request)
    assert 5 < len(listed.calls) < 18
    assert listed.truncated
    assert listed.ByteSize() < 4 * 1024 * 1024
