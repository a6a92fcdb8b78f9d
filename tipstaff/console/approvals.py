"""The approvals of one decision service: read, answered, watched. Edge: gRPC."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import grpc
import structlog

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tipstaff.console.asking import SECONDS, answered
from tipstaff.console.news import APPROVALS, Event, News
from tipstaff.console.sessions import Person

_MOST = 200
_EARLIER = 5
_PAUSE_SECONDS = 1.0

log = structlog.get_logger("tipstaff.console")


class Approvals:
    """The approvals of one decision service."""

    def __init__(self, channel: grpc.aio.Channel, news: News) -> None:
        """Ask over `channel`, and tell `news` of what has changed."""
        self._stub = approvals_pb2_grpc.ApprovalServiceStub(channel)
        self._news = news

    async def list(self) -> Any:
        """What waits, and what was; raises `ServiceError`."""
        request = approvals_pb2.ApprovalServiceListRequest(page_size=_MOST)
        return await answered(self._stub.List(request, timeout=SECONDS))

    async def get(self, approval_id: str) -> Any:
        """One approval; raises `ServiceError`."""
        request = approvals_pb2.ApprovalServiceGetRequest(id=approval_id)
        return (await answered(self._stub.Get(request, timeout=SECONDS))).call

    async def earlier(self, call: Any) -> Any:
        """What became of other calls of the same tool, the newest first, a few; raises `ServiceError`."""
        request = approvals_pb2.ApprovalServiceListRequest(server=call.server, page_size=_MOST)
        reply = await answered(self._stub.List(request, timeout=SECONDS))
        pending = approvals_pb2.APPROVAL_STATE_PENDING
        others = (
            other
            for other in reply.calls
            if other.target == call.target and other.id != call.id and other.state != pending
        )
        return list(islice(others, _EARLIER))

    async def answer(
        self, what: str, approval_id: str, person: Person, *, digest: str, note: str, standing: int
    ) -> Any:
        """Grant, refuse or withdraw; raises `ServiceError`."""
        who = approvals_pb2.Approver(id=person.id, method=person.method)
        if what == "grant":
            request: Any = approvals_pb2.ApprovalServiceGrantRequest(
                id=approval_id, digest=digest, approver=who, note=note, standing_seconds=standing
            )
        elif what == "refuse":
            request = approvals_pb2.ApprovalServiceRefuseRequest(
                id=approval_id, digest=digest, approver=who, note=note
            )
        else:
            request = approvals_pb2.ApprovalServiceWithdrawRequest(
                id=approval_id, approver=who, note=note
            )
        call = getattr(self._stub, what.capitalize())
        return (await answered(call(request, timeout=SECONDS))).call

    async def watch(self) -> None:
        """Hear of changes, once for all pages, until cancelled."""
        while True:
            try:
                stream = self._stub.Watch(approvals_pb2.ApprovalServiceWatchRequest())
                async for message in stream:
                    # What was missed while the service was away is news to every page.
                    word = message.call.id if message.HasField("call") else "all"
                    self._news.publish(Event(APPROVALS, word))
            except grpc.aio.AioRpcError as error:
                log.info("decision service away", status=error.code().name)
            await asyncio.sleep(_PAUSE_SECONDS)
