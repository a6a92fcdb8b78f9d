"""The counters of limits over gRPC: shown to operators, and emptied by them."""

from __future__ import annotations

from typing import Any

import structlog

from pdp.api.v1 import limits_pb2, limits_pb2_grpc
from pdp.errors import StoreError
from pdp.grpc.status import Context, abort, bland
from pdp.limits.counters import Counter, CounterFilter, read
from pdp.ports import Clock, StateStore

MAX_LISTED = 1000

log = structlog.get_logger("pdp.limits")


class LimitService(limits_pb2_grpc.LimitServiceServicer):
    """Shows and resets counters."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        """Show and reset the counters of `store`."""
        self._store = store
        self._clock = clock

    @bland
    async def List(  # noqa: N802 - the name is the contract's
        self, request: limits_pb2.LimitServiceListRequest, context: Context
    ) -> limits_pb2.LimitServiceListResponse:
        """The counters in use."""
        counters = await self._counters(request.filter, context)
        counters.sort(key=lambda counter: (-counter.used, -counter.free_in_ms, counter.name))
        return limits_pb2.LimitServiceListResponse(
            counters=[_to_wire(counter) for counter in counters[:MAX_LISTED]],
            truncated=len(counters) > MAX_LISTED,
        )

    @bland
    async def Reset(  # noqa: N802
        self, request: limits_pb2.LimitServiceResetRequest, context: Context
    ) -> limits_pb2.LimitServiceResetResponse:
        """Empty counters, including the leases of calls under way."""
        counters = await self._counters(request.filter, context)
        try:
            await self._store.forget([counter.key for counter in counters])
        except StoreError as error:
            await abort(context, error)
        log.warning("limits reset", count=len(counters), **_named(request.filter))
        return limits_pb2.LimitServiceResetResponse(count=len(counters))

    async def _counters(self, counter_filter: Any, context: Context) -> list[Counter]:
        now = self._clock.steady_ns() // 1000
        meant = CounterFilter(counter_filter.name, counter_filter.principal, counter_filter.session)
        try:
            state = await self._store.state()
        except StoreError as error:
            await abort(context, error)
        counters = (read(key, units, now) for key, units in state.items())
        return [counter for counter in counters if counter is not None and meant.fits(counter)]


def _named(counter_filter: Any) -> dict[str, str]:
    return {
        "limit": counter_filter.name or "any",
        "principal": counter_filter.principal or "any",
        "session": counter_filter.session or "any",
    }


def _to_wire(counter: Counter) -> limits_pb2.Counter:
    return limits_pb2.Counter(
        name=counter.name,
        scope=counter.scope,
        window_seconds=counter.window,
        algorithm=counter.algorithm,
        shadow=counter.shadow,
        subject=counter.subject,
        used=counter.used,
        free_in_ms=counter.free_in_ms,
    )
