"""Asks the decision service about approvals, for the pages. Edge: gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import grpc
import structlog
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tipstaff.console.sessions import Person

_SECONDS = 5.0
_MOST = 200
_PAUSE_SECONDS = 1.0
METHOD = "console"
# The status of an answer that the service does not take.
_STATUS = MappingProxyType(
    {
        "APPROVAL_STALE": 409,
        "APPROVAL_ENDED": 409,
        "APPROVAL_UNKNOWN": 404,
        "APPROVER_NOT_ALLOWED": 403,
        "APPROVAL_OF_OWN_CALL": 403,
    }
)

log = structlog.get_logger("tipstaff.console")


class ServiceError(Exception):
    """The service gave no answer, or does not take this one; `status` is that of the page that says so."""

    def __init__(self, status: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class Service:
    """The approvals of one decision service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Ask over `channel`."""
        self._stub = approvals_pb2_grpc.ApprovalServiceStub(channel)
        self._listeners: set[asyncio.Queue[str]] = set()

    async def list(self) -> Any:
        """What waits, and what was; raises `ServiceError`."""
        return await self._ask("List", approvals_pb2.ApprovalServiceListRequest(page_size=_MOST))

    async def get(self, approval_id: str) -> Any:
        """One approval; raises `ServiceError`."""
        request = approvals_pb2.ApprovalServiceGetRequest(id=approval_id)
        return (await self._ask("Get", request)).call

    async def answer(
        self, what: str, approval_id: str, person: Person, *, digest: str, note: str, standing: int
    ) -> Any:
        """Grant, refuse or withdraw; raises `ServiceError`."""
        who = approvals_pb2.Approver(id=person.id, method=METHOD)
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
        return (await self._ask(what.capitalize(), request)).call

    async def changes(self) -> AsyncIterator[str]:
        """The identifiers of approvals that have changed, from now on."""
        queue: asyncio.Queue[str] = asyncio.Queue(100)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    async def watch(self) -> None:
        """Hear of changes, once for all pages, until cancelled."""
        while True:
            try:
                stream = self._stub.Watch(approvals_pb2.ApprovalServiceWatchRequest())
                async for message in stream:
                    # What was missed while the service was away is news to every page.
                    self._publish(message.call.id if message.HasField("call") else "all")
            except grpc.aio.AioRpcError as error:
                log.info("decision service away", status=error.code().name)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _publish(self, approval_id: str) -> None:
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(approval_id)

    async def _ask(self, method: str, request: Any) -> Any:
        try:
            return await getattr(self._stub, method)(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            reason = _reason(error)
            if not reason:
                raise ServiceError(
                    503, "The decision service does not answer. Is `tipstaff up` running?"
                ) from error
            raise ServiceError(_STATUS.get(reason, 400), f"{error.details()}.") from error


def _reason(error: grpc.aio.AioRpcError) -> str:
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return ""
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return str(info.reason)
    return ""
