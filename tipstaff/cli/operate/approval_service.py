"""Asks the decision service about approvals, for commands. Edge: gRPC.

An approval is named by its identifier or by a start of it that no other one has. Whoever watches is told of
a service that went away, and sees what has changed when it is back.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any, NoReturn, Self

import grpc

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tipstaff.cli import console
from tipstaff.cli.errors import OptionError
from tipstaff.cli.operate import approval_failures
from tipstaff.cli.operate.held_call import state_of
from tipstaff.cli.policy.decision_service import channel, reason_of, why_unanswered
from tipstaff.common.back_off import BackOff
from tipstaff.common.visible_text import exact

_TIMEOUT_SECONDS = 10.0
_MOST = 1000
_NAMED = 8
_START = "a-"
_WHOLE = len(_START) + 32
"""Characters of an identifier; its start is looked for in a list, which is bounded."""
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


class ApprovalsClient:
    """The approvals of one decision service, asked by the person `by`."""

    def __init__(self, arguments: argparse.Namespace, by: str = "") -> None:
        """Raises `ConfigError` or `StartError`."""
        self.by = by
        self.address, self._channel = channel(arguments)
        self._stub = approvals_pb2_grpc.ApprovalServiceStub(self._channel)

    def __enter__(self) -> Self:
        """Use it until the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the connection."""
        self._channel.close()

    def find(self, start: str) -> Any:
        """The approval whose identifier is `start`, or the only one that begins so; raises `OptionError`."""
        name = start if start.startswith(_START) else f"{_START}{start}"
        if len(name) >= _WHOLE:
            return self.ask("Get", approvals_pb2.ApprovalServiceGetRequest(id=name), name).call
        listed = self.list(approvals_pb2.ApprovalServiceListRequest(page_size=_MOST))
        fitting = [call for call in listed.calls if call.id.startswith(name)]
        whole = [call for call in fitting if call.id == name]
        if len(whole or fitting) == 1:
            return (whole or fitting)[0]
        if fitting:
            raise OptionError(_ambiguous(start, fitting))
        # The list is bounded: an older one is found by its whole identifier, of whatever length.
        return self.ask("Get", approvals_pb2.ApprovalServiceGetRequest(id=name), name).call

    def list(self, request: approvals_pb2.ApprovalServiceListRequest) -> Any:
        """The approvals that `request` selects; raises `OptionError`."""
        return self.ask("List", request)

    def ask(self, method: str, request: Any, approval_id: str = "") -> Any:
        """The reply of the service; raises `OptionError`, which says what to do."""
        try:
            return getattr(self._stub, method)(request, timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            self._fail(error, approval_id)

    def changes(self, request: approvals_pb2.ApprovalServiceListRequest) -> Iterator[Any]:
        """What there is now, and every change from then on, without an end; raises `OptionError` at first.

        A change that happens while the list is made may come twice.
        """
        pause, is_first = BackOff(0.5, 10.0), True
        while True:
            try:
                stream = self._stub.Watch(approvals_pb2.ApprovalServiceWatchRequest())
                next(stream)  # it has begun: no change after the list below is missed
                yield from reversed(self.list(request).calls)
                pause.reset()
                is_first = False
                yield from (message.call for message in stream)
            except grpc.RpcError as error:
                if is_first or error.code() not in _AWAY:
                    self._fail(error, "")
            except OptionError:
                if is_first:
                    raise
            seconds = pause.after(0)
            console.err.print(
                f"the decision service went away; asking again in {seconds:.0f} s", markup=False
            )
            time.sleep(seconds)

    def _fail(self, error: grpc.RpcError, approval_id: str) -> NoReturn:
        reason, message = reason_of(error), exact(str(error.details()))
        advice = approval_failures.sentence(
            reason, message, approval_id=exact(approval_id), by=exact(self.by)
        )
        raise OptionError(advice or why_unanswered(error, self.address)) from error


def _ambiguous(start: str, fitting: list[Any]) -> str:
    names = [
        f"  {exact(call.id)}  {state_of(call):9} {exact(call.server)} {exact(call.target)}"
        for call in fitting[:_NAMED]
    ]
    more = [f"  and {len(fitting) - _NAMED} more"] if len(fitting) > _NAMED else []
    return "\n".join(
        [f"{len(fitting)} approvals begin with {exact(start)!r}: write more of it", *names, *more]
    )
