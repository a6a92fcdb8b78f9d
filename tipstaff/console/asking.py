"""Questions to the decision service, and what a person is told when there is no answer. Edge: gRPC."""

from __future__ import annotations

from collections.abc import Awaitable
from types import MappingProxyType
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

SECONDS = 5.0
"""How long an answer may take."""
# The status of a page that says why the service does not take an answer.
_STATUS = MappingProxyType(
    {
        "APPROVAL_STALE": 409,
        "APPROVAL_ENDED": 409,
        "APPROVAL_UNKNOWN": 404,
        "APPROVER_NOT_ALLOWED": 403,
        "APPROVAL_OF_OWN_CALL": 403,
    }
)
_Reply = TypeVar("_Reply")


class ServiceError(Exception):
    """The service gave no answer, or does not take this one; `status` is that of the page that says so."""

    def __init__(self, status: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


async def answered(call: Awaitable[_Reply]) -> _Reply:
    """The reply of a call to the service; raises `ServiceError`."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        reason = _reason(error)
        if not reason:
            raise ServiceError(
                503, "The decision service does not answer. Is `tipstaff up` running?"
            ) from error
        raise ServiceError(_STATUS.get(reason, 400), f"{error.details()}.") from error


def _reason(error: grpc.aio.AioRpcError) -> str:
    try:
        status: Any = rpc_status.from_call(error)
    except ValueError:
        return ""
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return str(info.reason)
    return ""
