"""Client of the decision service, over one long-lived stream of batches. Edge: gRPC, asyncio.

Calls that queue while a write is in flight go together in the next one; while many wait for their answers, so do
those that come in the next turns of the event loop. Every way of not getting a decision becomes a deny with the
code `pdp_unavailable`; nothing here waits longer than its deadline. No call is sent twice: a lost call may have
been counted.

An allow that arrives after its caller has gone is refunded, because the call will not be made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Sequence
from typing import Any

import grpc
import structlog

from pdp.api.address import CONFIGURATION_KEY
from pdp.api.bounds import CodecError
from pdp.api.codec import decision_from_wire, write_call
from pdp.api.list_codec import ListEntry
from pdp.api.model import Call, Decision
from pdp.api.v1 import decision_pb2, decision_pb2_grpc, policy_pb2_grpc
from pep.config import PdpTls
from pep.judge.decision_channel import async_channel
from pep.judge.service_calls import NoDecisionError, ServiceCalls, no_decision

# The service reads messages of at most 16 MiB; a larger one would end the stream for all calls.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024 - 4096
_MAX_BATCH = 128
_MANY = 32  # as many as the service judges at once, unless it is told otherwise
_PAUSE_SECONDS = 0.1

log = structlog.get_logger("pep.ask")

_Stream = Any  # grpc ships no types


class DecisionClient(ServiceCalls):
    """The decision service as the proxy sees it."""

    def __init__(
        self,
        address: str,
        timeout_ms: int,
        tls: PdpTls | None = None,
        *,
        configuration: str = "",
    ) -> None:
        """Ask at `address` (`unix:/path` or `host:port`); wait `timeout_ms` at most.

        A service that decides by another `configuration`, where one is named, answers nothing.
        Raises `StartError`.
        """
        self._channel = async_channel(address, tls or PdpTls())
        super().__init__(
            decision_pb2_grpc.DecisionServiceStub(self._channel),
            policy_pb2_grpc.PolicyServiceStub(self._channel),
            timeout_ms / 1000,
        )
        if configuration:
            self._metadata = ((CONFIGURATION_KEY, os.fsencode(configuration)),)
        self._waiting: dict[int, asyncio.Future[Decision]] = {}
        self._unsent: dict[int, decision_pb2.StreamItem] = {}
        self._woken = asyncio.Event()
        self._last_item = 0
        self._connected = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether the stream is up."""
        return self._connected.is_set()

    async def wait_connected(self, seconds: float) -> bool:
        """Wait for the stream, `seconds` at most; returns whether the stream is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Finish the refunds, briefly, and close the channel, once `run` has ended."""
        await super().close()
        await self._channel.close()

    async def decide(self, call: Call) -> Decision:
        """The decision on `call`; a deny with the code `pdp_unavailable` when there is none."""
        if not self._connected.is_set():
            return no_decision(call, "not connected")
        self._last_item = item_id = self._last_item + 1
        item = decision_pb2.StreamItem(item_id=item_id)
        write_call(call, item.request)
        if item.ByteSize() > MAX_MESSAGE_BYTES:
            return no_decision(call, "the call is too large to be judged")
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[item_id] = future
        self._unsent[item_id] = item
        self._woken.set()
        try:
            return await self.decided(call, future)
        finally:
            self._waiting.pop(item_id, None)
            self._unsent.pop(item_id, None)

    async def hidden_entries(
        self, call: Call, entries: Sequence[ListEntry]
    ) -> Collection[int] | None:
        """See `Decisions.hidden_entries`."""
        if not self._connected.is_set():
            return None
        return await super().hidden_entries(call, entries)

    async def run(self) -> None:
        """Connect, and stay connected, until cancelled."""
        while True:
            try:
                await self._channel.channel_ready()
                await self._converse(await self._stream())
                reason = "the service ended the stream"
            except grpc.aio.AioRpcError as error:
                reason = f"{error.code().name}: {error.details()}"
            except (NoDecisionError, TimeoutError) as error:
                reason = str(error) or "the service did not answer"
            except Exception as error:  # whatever the fault, the stream must come back
                reason = repr(error)
                log.exception("stream failed")
            self._fail_all(reason)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _stream(self) -> _Stream:
        """A stream to a service that decides by the configuration, if one is named."""
        stream = self._stub.StreamDecide(metadata=self._metadata)
        if not self._metadata:
            return stream
        try:
            async with asyncio.timeout(self._timeout):
                if self._metadata[0] not in tuple(await stream.initial_metadata()):
                    raise NoDecisionError("the service decides by another configuration")
        except BaseException:
            stream.cancel()
            raise
        return stream

    async def _converse(self, stream: _Stream) -> None:
        """Write and read until either ends; raises the error that ended it."""
        writer = asyncio.ensure_future(self._write(stream))
        reader = asyncio.ensure_future(self._read(stream))
        self._connected.set()
        log.info("decision service connected")
        try:
            done, _ = await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._connected.clear()
            stream.cancel()
            for task in (writer, reader):
                task.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)

    async def _write(self, stream: _Stream) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._unsent:
                await self._gather()
                if batch := self._next_batch():
                    await stream.write(decision_pb2.StreamDecideRequest(items=batch))

    async def _gather(self) -> None:
        """While many calls wait for their answers, give others a turn to come along, as long as they do.

        A message costs as much as several calls, and the service is busy with those that it has.
        """
        before = 0
        while before < len(self._unsent) < _MANY <= len(self._waiting):
            before = len(self._unsent)
            await asyncio.sleep(0)

    def _next_batch(self) -> Sequence[decision_pb2.StreamItem]:
        """The queued items that one message holds; at least one, if there is any."""
        batch: list[decision_pb2.StreamItem] = []
        room = MAX_MESSAGE_BYTES
        for item_id in list(self._unsent)[:_MAX_BATCH]:
            room -= self._unsent[item_id].ByteSize() + 16
            if batch and room < 0:
                break
            batch.append(self._unsent.pop(item_id))
        return batch

    async def _read(self, stream: _Stream) -> None:
        while (response := await stream.read()) is not grpc.aio.EOF:
            for reply in response.replies:
                self._settle(reply)

    def _settle(self, reply: decision_pb2.StreamReply) -> None:
        future = self._waiting.pop(reply.item_id, None)
        try:
            decision = _decision(reply)
        except NoDecisionError as error:
            if future is not None and not future.done():
                future.set_exception(error)
            return
        self.settle(future, decision)

    def _fail_all(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, {}
        self._unsent.clear()
        log.warning("decision service away", reason=reason, calls=len(waiting))
        for future in waiting.values():
            if not future.done():
                future.set_exception(NoDecisionError(reason))


def _decision(reply: decision_pb2.StreamReply) -> Decision:
    if reply.WhichOneof("outcome") != "decision":
        raise NoDecisionError(f"{reply.failure.reason or 'EMPTY'}: {reply.failure.message}")
    try:
        return decision_from_wire(reply.decision)
    except CodecError as error:
        raise NoDecisionError(f"not a decision: {error}") from error
