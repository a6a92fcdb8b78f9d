"""Exceptions as gRPC statuses with `google.rpc.ErrorInfo`, by one table.

Text for the caller is bland, the detail goes to the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from pdp.api import bounds
from pdp.errors import (
    AnswerError,
    JournalError,
    ListNotJudged,
    Overloaded,
    RequestError,
    StoreError,
)

DOMAIN = "tipstaff"
# exception: gRPC code, ErrorInfo reason
_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (bounds.CodecError, code_pb2.INVALID_ARGUMENT, "REQUEST_INVALID"),
    (RequestError, code_pb2.INVALID_ARGUMENT, "REQUEST_INVALID"),
    (StoreError, code_pb2.UNAVAILABLE, "STORE_UNAVAILABLE"),
    (JournalError, code_pb2.UNAVAILABLE, "JOURNAL_UNAVAILABLE"),
    (ListNotJudged, code_pb2.UNAVAILABLE, "LIST_NOT_JUDGED"),
    (Overloaded, code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED"),
)

log = structlog.get_logger("pdp.service")

Context: TypeAlias = Any  # grpc.aio.ServicerContext: grpc ships no types
_Method: TypeAlias = Callable[[Any, Any, Context], Awaitable[Any]]


_ANSWERS = MappingProxyType(
    {
        "APPROVAL_STALE": code_pb2.FAILED_PRECONDITION,
        "APPROVAL_ENDED": code_pb2.FAILED_PRECONDITION,
        "APPROVAL_UNKNOWN": code_pb2.NOT_FOUND,
        "APPROVER_NOT_ALLOWED": code_pb2.PERMISSION_DENIED,
        "APPROVAL_OF_OWN_CALL": code_pb2.PERMISSION_DENIED,
    }
)
"""The gRPC code of a person's answer that does not count; any other reason is INVALID_ARGUMENT."""


def status_of(error: BaseException) -> tuple[int, str, str]:
    """The gRPC code, the ErrorInfo reason and the message for `error`."""
    if isinstance(error, AnswerError):
        code = _ANSWERS.get(error.reason, code_pb2.INVALID_ARGUMENT)
        return code, error.reason, str(error)
    for kind, code, reason in _STATUS:
        if isinstance(error, kind):
            return code, reason, str(error)
    log.error("call not judged", error=repr(error), exc_info=error)
    return code_pb2.INTERNAL, "INTERNAL", "the call could not be judged"


def bland(method: _Method) -> _Method:
    """A method whose every exception becomes a status of the table; gRPC itself would send the exception's text."""

    @wraps(method)
    async def answer(self: Any, request: Any, context: Context) -> Any:
        try:
            return await method(self, request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is
            await abort(context, error)

    return answer


async def abort(context: Context, error: BaseException) -> None:
    """End the call with a rich status. Raises, always."""
    if isinstance(error, asyncio.CancelledError):
        raise error
    code, reason, message = status_of(error)
    details = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)]
    packed = []
    field = getattr(error, "field", None)
    if field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=field, description=getattr(error, "description", "")
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    for detail in details:
        any_message = any_pb2.Any()
        any_message.Pack(detail)
        packed.append(any_message)
    status = status_pb2.Status(code=code, message=message, details=packed)
    await context.abort_with_status(rpc_status.to_status(status))
