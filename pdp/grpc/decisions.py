"""The decision service over gRPC: decodes requests, judges each request id once, encodes decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import structlog

from pdp.api import codec
from pdp.api.approval_codec import approval_to_wire
from pdp.api.model import Call, Decision, Effect, Reason
from pdp.api.reasons import REASONS
from pdp.api.v1 import decision_pb2, decision_pb2_grpc, types_pb2
from pdp.approvals.approvals import Approvals
from pdp.errors import JournalError, RequestError
from pdp.explain import Explained
from pdp.grpc.batching import LARGE_BYTES
from pdp.grpc.decoding import CallReader, is_large
from pdp.grpc.idempotency import Idempotency
from pdp.grpc.lists import Lists
from pdp.grpc.status import Context, abort, bland, status_of
from pdp.policy.question import INTERNAL_ERROR

MAX_BATCH = 128
_LONGEST_WAIT_SECONDS = 60.0
_UNRECORDED = "journal_unavailable"

log = structlog.get_logger("pdp.service")


class DecisionService(decision_pb2_grpc.DecisionServiceServicer):
    """Judges calls."""

    def __init__(
        self,
        idempotency: Idempotency,
        report: Callable[[Call, Reason], str],
        explain: Callable[[Call], Awaitable[Explained]],
        approvals: Approvals,
        lists: Lists,
    ) -> None:
        """Decide through `idempotency`; `report` records a refusal and names its record, `explain` keeps nothing.

        Callers wait for `approvals`; the entries of `lists` are judged without being remembered.
        """
        self._idempotency = idempotency
        self._report = report
        self._explain = explain
        self._approvals = approvals
        self._lists = lists
        self._reader = CallReader()

    async def Decide(  # noqa: N802 - the name is the contract's
        self, request: decision_pb2.DecideRequest, context: Context
    ) -> decision_pb2.DecideResponse:
        """Judge one call."""
        try:
            (call,) = await self._reader.read((request,))
            decision = await asyncio.shield(self._idempotency.submit(call))
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, no decision
            await abort(context, error)
        response = decision_pb2.DecideResponse()
        await self._encode(call, decision, response.decision)
        return response

    async def submitted(self, request: decision_pb2.DecideRequest) -> asyncio.Future[Decision]:
        """The future decision on one call; raises as the reading of a call does, and `Overloaded`."""
        (call,) = await self._reader.read((request,))
        return self._idempotency.submit(call)

    async def BatchDecide(  # noqa: N802
        self, request: decision_pb2.BatchDecideRequest, context: Context
    ) -> decision_pb2.BatchDecideResponse:
        """Judge many calls by one revision."""
        try:
            if len(request.requests) > MAX_BATCH:
                raise RequestError("requests", f"more than {MAX_BATCH}")
            calls = await self._reader.read(request.requests)
            futures = self._idempotency.submit_all(calls)
            decisions = [await asyncio.shield(future) for future in futures]
        except Exception as error:  # noqa: BLE001
            await abort(context, error)
        response = decision_pb2.BatchDecideResponse()
        for call, decision in zip(calls, decisions, strict=True):
            await self._encode(call, decision, response.responses.add().decision)
        return response

    async def StreamDecide(self, request_iterator: object, context: Context) -> None:  # noqa: N802
        """Judge calls as they come; reply as they are ready."""
        del request_iterator
        replies = _Replies()
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(replies.write_to(context))
            try:
                while await self._judge_next(context, replies, group):
                    pass
            finally:
                replies.finish()
            await writer

    @bland
    async def FilterList(  # noqa: N802
        self, request: decision_pb2.FilterListRequest, context: Context
    ) -> decision_pb2.FilterListResponse:
        """Judge the entries of a list."""
        del context
        return decision_pb2.FilterListResponse(hidden=await self._lists.hidden(request))

    @bland
    async def Refund(  # noqa: N802
        self, request: decision_pb2.RefundRequest, context: Context
    ) -> decision_pb2.RefundResponse:
        """Give back what a decision took, once."""
        del context
        refunded = await self._idempotency.refund(request.decision_id)
        return decision_pb2.RefundResponse(refunded=refunded)

    @bland
    async def Finish(  # noqa: N802
        self, request: decision_pb2.FinishRequest, context: Context
    ) -> decision_pb2.FinishResponse:
        """Free what the decision's call held while it was under way."""
        del context
        freed = await self._idempotency.finish(request.decision_id)
        approval_id = self._idempotency.ended_by_approval(request.decision_id)
        if approval_id and request.answer_lost:
            await self._approvals.lost(approval_id)
        return decision_pb2.FinishResponse(freed=freed)

    @bland
    async def AwaitApproval(  # noqa: N802
        self, request: decision_pb2.AwaitApprovalRequest, context: Context
    ) -> decision_pb2.AwaitApprovalResponse:
        """Wait until an approval is no longer pending."""
        del context
        seconds = min(max(request.wait_ms, 0) / 1000, _LONGEST_WAIT_SECONDS)
        approval = await self._approvals.wait(request.approval_id, seconds)
        return decision_pb2.AwaitApprovalResponse(approval=approval_to_wire(approval))

    @bland
    async def Explain(  # noqa: N802
        self, request: decision_pb2.ExplainRequest, context: Context
    ) -> decision_pb2.ExplainResponse:
        """Judge a call as a trial: nothing is taken and nothing recorded."""
        del context
        (call,) = await self._reader.read((request.request,))
        explained = await self._explain(call)
        return decision_pb2.ExplainResponse(
            decision=codec.decision_to_wire(explained.decision), fault=explained.fault
        )

    async def Report(  # noqa: N802
        self, request: decision_pb2.ReportRequest, context: Context
    ) -> decision_pb2.ReportResponse:
        """Record a refusal that the enforcement point made by itself."""
        try:
            (call,) = await self._reader.read((request.request,))
            decision_id = self._report(call, codec.reason_from_wire(request.reason))
        except Exception as error:  # noqa: BLE001
            await abort(context, error)
        return decision_pb2.ReportResponse(decision_id=decision_id)

    async def _judge_next(
        self, context: Context, replies: _Replies, group: asyncio.TaskGroup
    ) -> bool:
        """Judge the next message of the stream; `False` at its end. The message is not kept."""
        message = await context.read()
        if message is grpc.aio.EOF:
            return False
        may_be_large = message.ByteSize() > LARGE_BYTES
        for item in message.items:
            replies.expect()
            if may_be_large and is_large((item.request,)):
                group.create_task(self._judge_large_item(item, replies, group))
            else:
                self._judge_item(item, replies, group)
        return True

    def _judge_item(
        self, item: decision_pb2.StreamItem, replies: _Replies, group: asyncio.TaskGroup
    ) -> None:
        try:
            call = codec.call_from_wire(item.request)
            self._submit(item.item_id, call, replies, group)
        except Exception as error:  # noqa: BLE001
            replies.fail(item.item_id, error)

    async def _judge_large_item(
        self, item: decision_pb2.StreamItem, replies: _Replies, group: asyncio.TaskGroup
    ) -> None:
        """Judge a large item while later items go on."""
        try:
            (call,) = await self._reader.read((item.request,))
            self._submit(item.item_id, call, replies, group)
        except Exception as error:  # noqa: BLE001
            replies.fail(item.item_id, error)

    def _submit(
        self, item_id: int, call: Call, replies: _Replies, group: asyncio.TaskGroup
    ) -> None:
        future = self._idempotency.submit(call)

        def settle(done: asyncio.Future[Decision]) -> None:
            try:
                replies.settle(item_id, done)
            except Exception:  # noqa: BLE001 - the decision cannot be sent
                group.create_task(self._settle_undone(item_id, call, done.result(), replies))

        future.add_done_callback(settle)

    async def _settle_undone(
        self, item_id: int, call: Call, decision: Decision, replies: _Replies
    ) -> None:
        message = types_pb2.Decision()
        await self._encode(call, decision, message)
        replies.add(item_id, message)

    async def _encode(self, call: Call, decision: Decision, message: types_pb2.Decision) -> None:
        """Write the decision into a message; one that cannot be encoded is refunded, and a denial is recorded in its place."""
        try:
            codec.write_decision(decision, message)
        except Exception as error:
            log.error("decision not sent", decision_id=decision.decision_id, exc_info=error)
        else:
            return
        message.Clear()
        await self._idempotency.refund(decision.decision_id)
        reason = Reason(INTERNAL_ERROR, REASONS[INTERNAL_ERROR])
        try:
            decision_id = self._report(call, reason)
        except JournalError:
            decision_id, reason = decision.decision_id, Reason(_UNRECORDED, REASONS[_UNRECORDED])
        denial = Decision(decision_id=decision_id, effect=Effect.DENY, reason=reason)
        codec.write_decision(denial, message)


class _Replies:
    """Replies of one stream that wait to be written: all that are ready go together."""

    def __init__(self) -> None:
        self._ready = decision_pb2.StreamDecideResponse()
        self._woken = asyncio.Event()
        self._expected = 0
        self._finished = False

    def expect(self) -> None:
        """Expect one more reply, which `settle` or `fail` will give."""
        self._expected += 1

    def finish(self) -> None:
        self._finished = True
        self._woken.set()

    def settle(self, item_id: int, done: asyncio.Future[Decision]) -> None:
        """Answer an item; raises when its decision cannot be encoded, and then still expects it."""
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            self.fail(item_id, error)
            return
        reply = self._ready.replies.add(item_id=item_id)
        try:
            codec.write_decision(done.result(), reply.decision)
        except BaseException:
            del self._ready.replies[-1]
            raise
        self._answered()

    def add(self, item_id: int, decision: types_pb2.Decision) -> None:
        """Answer an item that is expected."""
        self._ready.replies.add(item_id=item_id, decision=decision)
        self._answered()

    def fail(self, item_id: int, error: BaseException) -> None:
        _, reason, message = status_of(error)
        failure = decision_pb2.Failure(reason=reason, message=message)
        self._ready.replies.add(item_id=item_id, failure=failure)
        self._answered()

    async def write_to(self, context: Context) -> None:
        """Write until the client has finished and everything it asked for is answered."""
        while not (self._finished and not self._expected and not self._ready.replies):
            await self._woken.wait()
            self._woken.clear()
            if self._ready.replies:
                ready, self._ready = self._ready, decision_pb2.StreamDecideResponse()
                await context.write(ready)

    def _answered(self) -> None:
        self._expected -= 1
        self._woken.set()
