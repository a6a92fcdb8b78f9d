"""Approvals over gRPC: shown to people, and answered by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog

from pdp.api.model import ApprovalState as State
from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from pdp.approvals import answers
from pdp.approvals.answers import Person
from pdp.approvals.approvals import Approvals
from pdp.approvals.people import person
from pdp.approvals.port import Filter, Step
from pdp.config import ConfiguredPerson
from pdp.errors import AnswerError
from pdp.grpc.approval_messages import held_to_wire
from pdp.grpc.status import Context, abort, bland

_MOST = 1000
_USUAL = 100
_MOST_BYTES = 3 * 1024 * 1024  # gRPC's clients take messages of 4 MiB unless told otherwise
_FROM_WIRE = {
    number: State(name.removeprefix("APPROVAL_STATE_").lower())
    for name, number in approvals_pb2.ApprovalState.items()
    if number
}

log = structlog.get_logger("pdp.approvals")


class ApprovalService(approvals_pb2_grpc.ApprovalServiceServicer):
    """Shows approvals and takes answers."""

    def __init__(
        self, approvals: Approvals, people: Callable[[], Sequence[ConfiguredPerson]]
    ) -> None:
        """`people` gives those who may answer, as configured now."""
        self.approvals = approvals
        self._people = people

    @bland
    async def List(  # noqa: N802 - the name is the contract's
        self, request: approvals_pb2.ApprovalServiceListRequest, context: Context
    ) -> approvals_pb2.ApprovalServiceListResponse:
        """Approvals, pending ones first."""
        del context
        state = _FROM_WIRE.get(request.state)
        selected = Filter(state.value if state else "", request.server, request.principal)
        most = min(request.page_size or _USUAL, _MOST)
        shown = await self.approvals.find(selected, most + 1)
        calls = _of_size([held_to_wire(seen) for seen in shown[:most]])
        return approvals_pb2.ApprovalServiceListResponse(
            calls=calls,
            truncated=len(shown) > len(calls),
            pending=await self.approvals.pending(),
        )

    @bland
    async def Get(  # noqa: N802
        self, request: approvals_pb2.ApprovalServiceGetRequest, context: Context
    ) -> approvals_pb2.ApprovalServiceGetResponse:
        """One approval."""
        del context
        seen = await self.approvals.get(request.id)
        return approvals_pb2.ApprovalServiceGetResponse(call=held_to_wire(seen))

    @bland
    async def Grant(  # noqa: N802
        self, request: approvals_pb2.ApprovalServiceGrantRequest, context: Context
    ) -> approvals_pb2.ApprovalServiceGrantResponse:
        """Say yes."""
        del context
        who = self._person(request.approver)
        step = partial(_granted, who, request)
        call = await self._answer(request.id, step, who, "grant")
        return approvals_pb2.ApprovalServiceGrantResponse(call=call)

    @bland
    async def Refuse(  # noqa: N802
        self, request: approvals_pb2.ApprovalServiceRefuseRequest, context: Context
    ) -> approvals_pb2.ApprovalServiceRefuseResponse:
        """Say no."""
        del context
        who = self._person(request.approver)
        step = partial(_refused, who, request)
        call = await self._answer(request.id, step, who, "refuse")
        return approvals_pb2.ApprovalServiceRefuseResponse(call=call)

    @bland
    async def Withdraw(  # noqa: N802
        self, request: approvals_pb2.ApprovalServiceWithdrawRequest, context: Context
    ) -> approvals_pb2.ApprovalServiceWithdrawResponse:
        """Take a question or a grant back."""
        del context
        who = self._person(request.approver)
        call = await self._answer(
            request.id,
            lambda held, now: answers.withdraw(held, who, request.note, now),
            who,
            "withdraw",
        )
        return approvals_pb2.ApprovalServiceWithdrawResponse(call=call)

    async def Watch(  # noqa: N802
        self, request: approvals_pb2.ApprovalServiceWatchRequest, context: Context
    ) -> None:
        """Send every change from now on."""
        del request
        try:
            async with self.approvals.watching() as changes:
                await context.write(approvals_pb2.ApprovalServiceWatchResponse())
                async for seen in changes:
                    await context.write(
                        approvals_pb2.ApprovalServiceWatchResponse(call=held_to_wire(seen))
                    )
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is
            await abort(context, error)

    def _person(self, approver: Any) -> Person:
        method = approver.method or "grpc"
        return person(approver.id, tuple(approver.groups), method, self._people())

    async def _answer(
        self, approval_id: str, step: Step, who: Person, what: str
    ) -> approvals_pb2.HeldCall:
        try:
            seen = await self.approvals.answer(approval_id, step)
        except AnswerError as error:
            log.warning("answer refused", approval=approval_id, by=who.id, reason=error.reason)
            raise
        log.info("answered", approval=approval_id, by=who.id, answer=what, state=seen.held.state)
        return held_to_wire(seen)


def _of_size(calls: Sequence[approvals_pb2.HeldCall]) -> list[approvals_pb2.HeldCall]:
    """The first of `calls`, as many as a client takes in one message: callers choose how large each is."""
    size, fitting = 0, []
    for call in calls:
        size += call.ByteSize()
        if size > _MOST_BYTES:
            break
        fitting.append(call)
    return fitting


def _granted(
    who: Person, request: approvals_pb2.ApprovalServiceGrantRequest, held: Any, now: int
) -> Any:
    return answers.grant(
        held, who, request.note, now, standing=request.standing_seconds, digest=request.digest
    )


def _refused(
    who: Person, request: approvals_pb2.ApprovalServiceRefuseRequest, held: Any, now: int
) -> Any:
    return answers.refuse(held, who, request.note, now, digest=request.digest)
