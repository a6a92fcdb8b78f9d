"""The real proxy in this loop, between a decision service with a script and real upstreams.

The decision service speaks the real gRPC contract; only its mind is scripted.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import uvicorn

from pdp.api.codec import call_from_wire, decision_to_wire
from pdp.api.list_codec import calls_from_wire
from pdp.api.model import Call, Decision, Effect, Reason
from pdp.api.v1 import decision_pb2, decision_pb2_grpc, policy_pb2, policy_pb2_grpc
from pep.config import PepConfig, Server
from pep.wiring import serve
from tests.ports import free_port

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
}


def allow(decision_id: str, **more: Any) -> Decision:
    reason = Reason("allowed", "")
    return Decision(decision_id=decision_id, effect=Effect.ALLOW, reason=reason, **more)


def deny(
    decision_id: str, code: str = "denied_by_rule", message: str = "No.", **more: Any
) -> Decision:
    reason = Reason(code, message)
    return Decision(decision_id=decision_id, effect=Effect.DENY, reason=reason, **more)


class ScriptedService(decision_pb2_grpc.DecisionServiceServicer):
    """Answers each call as `script` says; keeps what it was asked and what was refunded."""

    def __init__(self) -> None:
        self.script: Callable[[Call], Decision | None] = lambda one: allow(one.request_id)
        self.status: dict[str, Any] | None = {"ready": True}
        self.calls: list[Call] = []
        self.batches: list[int] = []
        self.refunds: list[str] = []
        self.finished: list[str] = []
        self.reports: list[tuple[Call, str]] = []

    async def StreamDecide(self, request_iterator: object, context: Any) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            self.batches.append(len(message.items))
            replies = []
            for item in message.items:
                one = call_from_wire(item.request)
                self.calls.append(one)
                decision = self.script(one)
                if decision is not None:
                    wire = decision_to_wire(decision)
                    replies.append(decision_pb2.StreamReply(item_id=item.item_id, decision=wire))
            await context.write(decision_pb2.StreamDecideResponse(replies=replies))

    async def FilterList(self, request: Any, context: object) -> Any:
        self.batches.append(len(request.entries))
        hidden = []
        for calls in calls_from_wire(request, 64):
            for call in calls:
                self.calls.append(call)
                decision = self.script(call)
                if decision is not None and decision.hidden:
                    hidden.append(int(call.request_id.rpartition(".")[2]))
            await asyncio.sleep(0)
        return decision_pb2.FilterListResponse(hidden=hidden)

    async def Refund(self, request: Any, context: object) -> Any:
        self.refunds.append(request.decision_id)
        return decision_pb2.RefundResponse(refunded=True)

    async def Report(self, request: Any, context: object) -> Any:
        self.reports.append((call_from_wire(request.request), request.reason.code))
        return decision_pb2.ReportResponse(decision_id="r")

    async def Finish(self, request: Any, context: object) -> Any:
        self.finished.append(request.decision_id)
        return decision_pb2.FinishResponse(freed=True)


class _ScriptedPolicy(policy_pb2_grpc.PolicyServiceServicer):
    """Tells the state of the policy as the service's `status` says; none hangs."""

    def __init__(self, service: ScriptedService) -> None:
        self._service = service

    async def GetStatus(self, request: object, context: object) -> Any:
        if self._service.status is None:
            await asyncio.Event().wait()
        return policy_pb2.GetStatusResponse(**(self._service.status or {}))


@contextlib.asynccontextmanager
async def grpc_service(service: ScriptedService, address: str) -> AsyncIterator[grpc.aio.Server]:
    server = grpc.aio.server()
    decision_pb2_grpc.add_DecisionServiceServicer_to_server(service, server)
    policy_pb2_grpc.add_PolicyServiceServicer_to_server(_ScriptedPolicy(service), server)
    server.add_insecure_port(address)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


class Recorder:
    """A raw HTTP/1.1 server: keeps the very bytes of every request, and answers with its own."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.answer: Callable[[asyncio.StreamWriter], Awaitable[None]] = self.ok
        self.gone = asyncio.Event()
        self.begun = asyncio.Event()
        self.port = 0

    @staticmethod
    async def ok(writer: asyncio.StreamWriter) -> None:
        body = b'{"jsonrpc":"2.0","id":1,"result":{}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        writer.write(head % len(body) + b"Connection: close\r\n\r\n" + body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection: enough for a record."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                self.requests.append((head, await reader.readexactly(length)))
                self.begun.set()
                answering = asyncio.ensure_future(self.answer(writer))
                leaving = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)
                await leaving
        finally:
            self.gone.set()
            writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Recorder]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**23)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"


@contextlib.asynccontextmanager
async def asgi_upstream(app: Any) -> AsyncIterator[str]:
    """An ASGI application under uvicorn; gives the URL of its MCP endpoint."""
    port = free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1,
        ws="none",
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        await task


class Proxy:
    """A running proxy and the decision service behind it."""

    def __init__(self, port: int, service: ScriptedService, pdp: str) -> None:
        self.port = port
        self.service = service
        self.pdp = pdp

    def url(self, server: str = "demo") -> str:
        return f"http://127.0.0.1:{self.port}/{server}/mcp"


@contextlib.asynccontextmanager
async def proxy(
    *servers: Server, with_service: bool = True, **options: Any
) -> AsyncIterator[Proxy]:
    """Run the proxy in front of `servers`; `options` go into its configuration."""
    service, port, stop, ready = ScriptedService(), free_port(), asyncio.Event(), asyncio.Event()
    listen = options.pop("listen", f"127.0.0.1:{port}")
    config = PepConfig(listen=listen, servers=servers, shutdown_grace_ms=1000, **options)
    with tempfile.TemporaryDirectory(prefix="pep") as folder:
        address = f"unix:{Path(folder) / 'pdp.sock'}"
        async with contextlib.AsyncExitStack() as stack:
            if with_service:
                await stack.enter_async_context(grpc_service(service, address))
            task = asyncio.ensure_future(
                serve(config, pdp_address=address, stop=stop, ready=ready.set)
            )
            await asyncio.wait(
                {task, waiting := asyncio.ensure_future(ready.wait())},
                return_when=asyncio.FIRST_COMPLETED,
            )
            waiting.cancel()
            if task.done():
                task.result()
            try:
                yield Proxy(port, service, address)
            finally:
                stop.set()
                await task
