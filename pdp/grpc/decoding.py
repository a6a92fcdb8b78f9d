"""Reads calls from gRPC messages; large ones beside the event loop. Edge: asyncio, threads.

Proving that large arguments are strict JSON takes milliseconds, and would hold up every other call
meanwhile. Large calls are read one at a time, with a pause as long after each, because the parser
holds the interpreter's lock most of the time. Few may wait, because each is in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pdp.api import codec
from pdp.api.model import Call
from pdp.api.v1 import decision_pb2
from pdp.errors import Overloaded
from pdp.grpc.batching import LARGE_BYTES

MAX_LARGE_WAITING = 16


class CallReader:
    """Reads calls from their messages."""

    def __init__(self) -> None:
        """Begin with no large message under way."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._waiting = 0
        self._free = asyncio.Lock()

    async def read(self, requests: Sequence[decision_pb2.DecideRequest]) -> list[Call]:
        """The calls; raises `CodecError` or `Overloaded`."""
        if not is_large(requests):
            return _read(requests)
        if self._waiting >= MAX_LARGE_WAITING:
            raise Overloaded(f"{self._waiting} large messages are waiting already")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        loop = asyncio.get_running_loop()
        began = loop.time()
        reading = loop.run_in_executor(self._thread, _read, requests)
        reading.add_done_callback(
            lambda _: loop.call_later(loop.time() - began, self._free.release)
        )
        return await asyncio.shield(reading)


def is_large(requests: Sequence[decision_pb2.DecideRequest]) -> bool:
    """Whether reading `requests` takes so long that other calls would wait."""
    return (
        sum(
            len(call_request.arguments_json) + len(call_request.principal.claims_json)
            for call_request in requests
        )
        > LARGE_BYTES
    )


def _read(requests: Sequence[decision_pb2.DecideRequest]) -> list[Call]:
    return [codec.call_from_wire(request) for request in requests]
