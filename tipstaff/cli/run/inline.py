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
from pdp.api.model import Call, Decision, Effect
from pdp.local import LocalService
from pep.judge.service_calls import ServiceCalls, no_decision
from pep.load.deadlines import Deadlines


class InlineDecisions(ServiceCalls):
    """The decision service as a proxy in the same process sees it."""

    is_connected = True

    def __init__(self, service: LocalService, timeout_ms: int) -> None:
        """Ask `service`; wait `timeout_ms` at most."""
        super().__init__(_Stub(service.decisions), _Stub(service.policy), timeout_ms / 1000)
        self._service = service
        self._deadlines = Deadlines(self._timeout, partial(_LateError, "deadline exceeded"))

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
            judging = await self._service.submit(call_to_wire(call))
            judging.add_done_callback(partial(self._settle, waiting))
            self._deadlines.add(waiting)
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self._give_back(waiting.result())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no decision
            return no_decision(call, f"{type(error).__name__}: {error}")

    def _settle(self, waiting: asyncio.Future[Decision], done: asyncio.Future[Decision]) -> None:
        """Hand the decision on; an allow that nobody waits for any more is given back."""
        if done.cancelled():
            waiting.cancel()
        elif (error := done.exception()) is not None:
            if not waiting.done():
                waiting.set_exception(error)
        elif waiting.done():
            self._give_back(done.result())
        else:
            waiting.set_result(done.result())

    def _give_back(self, decision: Decision) -> None:
        if decision.effect is Effect.ALLOW:
            self.refund_soon(decision)


class _LateError(Exception):
    """The decision did not come in time."""


class _Stub:
    """Calls the methods of a servicer as a gRPC stub would."""

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._servicer, name)

        async def call(request: Any, timeout: float) -> Any:  # noqa: ASYNC109 - as gRPC names it
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
