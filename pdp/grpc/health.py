"""Health over gRPC: SERVING only while OPA answers and its bundle is active. Edge: asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

_EVERY_SECONDS = 1.0


class HealthStates:
    """The states of all services, which are one state."""

    def __init__(
        self,
        ready: Callable[[], Awaitable[bool]],
        health: HealthServicer,
        serving: asyncio.Event,
        names: Sequence[str],
    ) -> None:
        """`ready` is asked; `health` and `serving` are told, under all `names`."""
        self._ready = ready
        self._health = health
        self._serving = serving
        self._names = names

    async def keep(self) -> None:
        """Update the states from time to time, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.update()

    async def update(self) -> None:
        """Ask, and tell."""
        is_ready = await self._ready()
        if is_ready:
            self._serving.set()
        else:
            self._serving.clear()
        states = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._health.set(name, states.SERVING if is_ready else states.NOT_SERVING)
