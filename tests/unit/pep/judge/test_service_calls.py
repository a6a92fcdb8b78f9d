"""What the service is told beside calls: what became of them; and what is asked, with nobody there."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from msgspec import structs

from pdp.api.list_codec import ListEntry
from pdp.api.model import Approval, ApprovalState, LimitResult, Reason
from pdp.api.v1 import decision_pb2, policy_pb2
from pep.judge.service_calls import ServiceCalls, no_decision
from tests.calls import call
from tests.proxy_rig import allow


def away() -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "nobody"
    )


class Stub:
    """Remembers what it was asked, by method; answers with `answer`, or raises it."""

    def __init__(self, answer: Any = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        async def answer(request: Any, timeout: float, metadata: Any = ()) -> Any:  # noqa: ASYNC109
            assert metadata == ()
            assert timeout > 0
            self.asked.append((name, request))
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return answer


def limit(algorithm: str) -> LimitResult:
    return LimitResult(
        name="a", scope="session", max=1, window=60, cost=1, remaining=1, passed=True,
        algorithm=algorithm,
    )  # fmt: skip


async def told(*tell: Any, answer: Any = None) -> list[tuple[str, Any]]:
    """What the service hears when each of `tell` is called with the client."""
    stub = Stub(answer)
    calls = ServiceCalls(stub, Stub(), 1)
    for each in tell:
        each(calls)
    await asyncio.sleep(0)
    await calls.close()
    return stub.asked


@pytest.mark.parametrize(
    ("answer", "hidden"),
    [
        (decision_pb2.FilterListResponse(), set()),
        (decision_pb2.FilterListResponse(hidden=[0, 1]), {0, 1}),
        (decision_pb2.FilterListResponse(hidden=[2]), None),
        (away(), None),
    ],
)
async def test_what_is_no_answer_to_a_list_tells_nothing_of_it(
    answer: Any, hidden: set[int] | None
) -> None:
    """An entry that the list does not have, or no answer at all."""
    calls = ServiceCalls(Stub(answer), Stub(), 1)
    assert await calls.hidden_entries(call(), [ListEntry("a"), ListEntry("b")]) == hidden
    await calls.close()


async def test_a_refund_is_asked_for_only_where_something_was_taken() -> None:
    """A decision without limits took nothing."""
    took = structs.replace(allow("d1"), limits=(limit("gcra"),))
    heard = await told(lambda c: c.refund_soon(allow("d0")), lambda c: c.refund_soon(took))
    assert [(name, request.decision_id) for name, request in heard] == [("Refund", "d1")]


async def test_the_end_of_a_call_is_told_only_where_it_held_a_lease() -> None:
    """And that its answer was lost only where it used an approval or held one."""
    leased = structs.replace(allow("d1"), limits=(limit("concurrency"),))
    counted = structs.replace(allow("d2"), limits=(limit("gcra"),))
    approval = Approval(id="a", state=ApprovalState.USED)
    approved = structs.replace(allow("d3"), approval=approval)
    heard = await told(
        *(lambda c, d=decision: c.finish_soon(d) for decision in (leased, counted)),
        *(lambda c, d=decision: c.lost_soon(d) for decision in (leased, counted, approved)),
    )
    assert [(request.decision_id, request.answer_lost) for _, request in heard] == [
        ("d1", False), ("d1", False), ("d3", True),
    ]  # fmt: skip
    assert {name for name, _ in heard} == {"Finish"}


async def test_a_refusal_is_reported_with_its_reason() -> None:
    """And with the call that was refused."""
    ((name, request),) = await told(lambda c: c.report_soon(call("r1"), Reason("code", "Text.")))
    assert (name, request.request.request_id, request.reason.code) == ("Report", "r1", "code")


async def test_a_service_that_is_away_raises_nothing() -> None:
    """It is logged; who asks for an approval or the policy gets nothing."""
    took = structs.replace(allow("d1"), limits=(limit("gcra"),))
    assert len(await told(lambda c: c.refund_soon(took), answer=away())) == 1
    calls = ServiceCalls(Stub(away()), Stub(away()), 1)
    assert await calls.await_approval("a", 0.1) is None
    assert await calls.policy_status() is None
    answering = ServiceCalls(Stub(), Stub(policy_pb2.GetStatusResponse(revision="r")), 1)
    status = await answering.policy_status()
    assert status is not None
    assert status.revision == "r"


def test_without_a_decision_a_call_is_denied() -> None:
    """Under its own name, since the service has given none."""
    denied = no_decision(call("r1"), "gone")
    assert (denied.decision_id, denied.effect, denied.reason.code) == (
        "r1",
        "deny",
        "pdp_unavailable",
    )
