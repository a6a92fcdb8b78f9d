"""What every way to the decision service does alike: waits for decisions, and tells what became of them. Edge: gRPC.

Every way of not getting a decision becomes a deny with the code `pdp_unavailable`; an allow that arrives
after its caller has gone is refunded, because the call will not be made. What cannot be told is logged, and
a refund that is not given errs on the safe side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import grpc
import structlog

from pdp.api.approval_codec import approval_from_wire
from pdp.api.bounds import CodecError
from pdp.api.codec import call_to_wire
from pdp.api.list_codec import ListEntry, list_to_wire
from pdp.api.model import Approval, Call, Decision, Effect, Reason
from pdp.api.v1 import decision_pb2, policy_pb2, types_pb2
from pep.load.background import Background
from pep.load.deadlines import Deadlines

# Refunds and ends of calls come from calls that were under way, which are bounded; reports come from
# unauthenticated callers, too.
_SETTLED_AT_ONCE, _SETTLED_WAITING = 64, 20_000
_REPORTS_AT_ONCE = 64
_STATUS_SECONDS = 1.0

log = structlog.get_logger("pep.ask")


class NoDecisionError(Exception):
    """No decision arrived; the message says why, for the log."""


class ServiceCalls:
    """The calls of the decision service and of the policy service."""

    def __init__(self, stub: Any, policy: Any, timeout: float) -> None:
        """`stub` and `policy` are gRPC stubs, or answer like them; wait `timeout` seconds at most."""
        self._stub = stub
        self._policy = policy
        self._timeout = timeout
        self._metadata: tuple[tuple[str, bytes], ...] = ()
        self._deadlines = Deadlines(timeout, partial(NoDecisionError, "deadline exceeded"))
        self._settling = Background(_SETTLED_AT_ONCE, _SETTLED_WAITING)
        self._reporting = Background(_REPORTS_AT_ONCE)

    async def close(self) -> None:
        """Finish the refunds, briefly."""
        await asyncio.gather(
            self._settling.close(self._timeout), self._reporting.close(self._timeout)
        )

    async def decided(self, call: Call, future: asyncio.Future[Decision]) -> Decision:
        """The decision that `future` brings, `NoDecisionError` or nothing in time; see `settle`."""
        self._deadlines.add(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._give_back(future.result())
            raise
        except NoDecisionError as error:
            return no_decision(call, str(error))

    def settle(self, future: asyncio.Future[Decision] | None, decision: Decision) -> None:
        """Hand `decision` to who waits for it; an allow that nobody waits for any more is given back."""
        if future is not None and not future.done():
            future.set_result(decision)
        else:
            self._give_back(decision)

    def _give_back(self, decision: Decision) -> None:
        if decision.effect is Effect.ALLOW:
            self.refund_soon(decision)

    async def hidden_entries(
        self, call: Call, entries: Sequence[ListEntry]
    ) -> Collection[int] | None:
        """See `Decisions.hidden_entries`."""
        try:
            reply = await self._stub.FilterList(
                list_to_wire(call, entries), timeout=self._timeout, metadata=self._metadata
            )
        except grpc.aio.AioRpcError as error:
            log.warning("list not judged", server=call.server, reason=error.details())
            return None
        hidden = frozenset(reply.hidden)
        if any(position >= len(entries) for position in hidden):
            log.error("not an answer to a list", server=call.server, entries=len(entries))
            return None
        return hidden

    async def await_approval(self, approval_id: str, seconds: float) -> Approval | None:
        """See `Decisions.await_approval`; a service that does not know the approval cannot tell either."""
        milliseconds = int(seconds * 1000)
        request = decision_pb2.AwaitApprovalRequest(approval_id=approval_id, wait_ms=milliseconds)
        try:
            reply = await self._stub.AwaitApproval(request, timeout=seconds + self._timeout)
            return approval_from_wire(reply.approval)
        except (grpc.aio.AioRpcError, CodecError) as error:
            log.warning("approval not awaited", approval=approval_id, error=type(error).__name__)
            return None

    async def policy_status(self) -> policy_pb2.GetStatusResponse | None:
        """The state of the policy; `None` when the service does not answer in time."""
        request = policy_pb2.GetStatusRequest()
        status: policy_pb2.GetStatusResponse
        try:
            status = await self._policy.GetStatus(request, timeout=_STATUS_SECONDS)
        except grpc.aio.AioRpcError as error:
            log.warning("no state of the policy", status=error.code().name)
            return None
        return status

    def refund_soon(self, decision: Decision) -> None:
        """Refund what a decision took from limits, without waiting."""
        if decision.limits:
            request = decision_pb2.RefundRequest(decision_id=decision.decision_id)
            self._tell(self._settling, self._stub.Refund, request)

    def finish_soon(self, decision: Decision) -> None:
        """Report the end of the call, without waiting, if the call holds a lease."""
        if any(limit.algorithm == "concurrency" for limit in decision.limits):
            request = decision_pb2.FinishRequest(decision_id=decision.decision_id)
            self._tell(self._settling, self._stub.Finish, request)

    def lost_soon(self, decision: Decision) -> None:
        """Report that the answer was lost, without waiting, if the call used an approval or holds a lease."""
        if decision.approval is None:
            self.finish_soon(decision)
            return
        request = decision_pb2.FinishRequest(decision_id=decision.decision_id, answer_lost=True)
        self._tell(self._settling, self._stub.Finish, request)

    def report_soon(self, call: Call, reason: Reason) -> None:
        """Have a refusal recorded that was made without a decision, without waiting."""
        wire = types_pb2.Reason(code=reason.code, message=reason.message)
        request = decision_pb2.ReportRequest(request=call_to_wire(call), reason=wire)
        self._tell(self._reporting, self._stub.Report, request)

    def _tell(self, lane: Background, rpc: Any, request: Any) -> None:
        lane.start(type(request).__name__, self._send(rpc, request))

    async def _send(self, rpc: Any, request: Any) -> None:
        try:
            await rpc(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            log.warning("not told", request=type(request).__name__, status=error.code().name)


def no_decision(call: Call, reason: str) -> Decision:
    """The proxy's own deny; its id is the request's, as the service has given none."""
    log.warning("no decision", request_id=call.request_id, server=call.server, reason=reason)
    return Decision(
        decision_id=call.request_id,
        effect=Effect.DENY,
        reason=Reason("pdp_unavailable", "The decision service did not answer."),
    )
