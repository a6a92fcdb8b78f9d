"""The decision service for a proxy in the same process: the same steps, without a socket in between. Edge: asyncio.

What a call is, is still what the contract says: it goes through the same messages, whose reader proves it
(`pdp.api.codec`), through the same memory of requests, the same batches, limits and records. What the proxy
asks beside decisions goes to the same methods that answer over gRPC.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, NoReturn

import grpc

from pdp.api.codec import call_to_wire
from pdp.api.model import Call, Decision
from pdp.local import LocalService
from pep.judge.service_calls import NoDecisionError, ServiceCalls, no_decision


class InlineDecisions(ServiceCalls):
    """The decision service as a proxy in the same process sees it."""

    is_connected = True

    def __init__(self, service: LocalService, timeout_ms: int) -> None:
        """Ask `service`; wait `timeout_ms` at most."""
        super().__init__(_Stub(service.decisions), _Stub(service.policy), timeout_ms / 1000)
        self._service = service

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        await asyncio.Event().wait()

    async def wait_connected(self, seconds: float) -> bool:  # noqa: ARG002
        """The service is here."""
        return True

    async def decide(self, call: Call) -> Decision:
        """The decision on `call`; a deny with the code `pdp_unavailable` when there is none."""
        waiting: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        try:
            judging = await self._service.decisions.submitted(call_to_wire(call))
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no decision
            return no_decision(call, _why(error))
        judging.add_done_callback(partial(self._hand_on, waiting))
        return await self.decided(call, waiting)

    def _hand_on(self, waiting: asyncio.Future[Decision], done: asyncio.Future[Decision]) -> None:
        if done.cancelled():
            waiting.cancel()
        elif (error := done.exception()) is None:
            self.settle(waiting, done.result())
        elif not waiting.done():
            waiting.set_exception(NoDecisionError(_why(error)))


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


class _Stub:
    """Calls the methods of a servicer as a gRPC stub would."""

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._servicer, name)

        async def call(request: Any, timeout: float, metadata: object = None) -> Any:  # noqa: ASYNC109 - as gRPC names it
            del metadata
            try:
                async with asyncio.timeout(timeout):
                    return await method(request, _Context())
            except TimeoutError as error:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "deadline exceeded") from error

        return call


class _Context:
    """The part of a gRPC context that the methods use."""

    async def abort_with_status(self, status: Any) -> NoReturn:
        """End the call."""
        raise _error(status.code, status.details)


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)
