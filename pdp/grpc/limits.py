"""The counters of limits over gRPC: shown to operators, and emptied by them."""

from __future__ import annotations

from typing import Any

import structlog

from pdp.api.v1 import limits_pb2, limits_pb2_grpc
from pdp.errors import StoreError
from pdp.grpc.status import Context, abort, bland
from pdp.limits.counters import Counter, Wanted, read
from pdp.ports import Clock, StateStore

MAX_LISTED = 1000

log = structlog.get_logger("pdp.limits")


class LimitService(limits_pb2_grpc.LimitServiceServicer):
    """Shows and resets counters."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        """Look into `store`."""
        self._store = store
        self._clock = clock

    @bland
    async def List(  # noqa: N802 - the name is the contract's
        self, request: limits_pb2.LimitServiceListRequest, context: Context
    ) -> limits_pb2.LimitServiceListResponse:
        """The counters in use."""
        found = await self._counters(request.filter, context)
        found.sort(key=lambda one: (-one.used, -one.free_in_ms, one.name))
        return limits_pb2.LimitServiceListResponse(
            counters=[_to_wire(one) for one in found[:MAX_LISTED]],
            truncated=len(found) > MAX_LISTED,
        )

    @bland
    async def Reset(  # noqa: N802
        self, request: limits_pb2.LimitServiceResetRequest, context: Context
    ) -> limits_pb2.LimitServiceResetResponse:
        """Empty counters. What calls under way hold is freed as well."""
        found = await self._counters(request.filter, context)
        try:
            await self._store.forget([one.key for one in found])
        except StoreError as error:
            await abort(context, error)
        log.warning("limits reset", count=len(found), **_named(request.filter))
        return limits_pb2.LimitServiceResetResponse(count=len(found))

    async def _counters(self, wanted: Any, context: Context) -> list[Counter]:
        now = self._clock.steady_ns() // 1000
        meant = Wanted(wanted.name, wanted.principal, wanted.session)
        try:
            state = await self._store.state()
        except StoreError as error:
            await abort(context, error)
        counters = (read(key, units, now) for key, units in state.items())
        return [one for one in counters if one is not None and meant.fits(one)]


def _named(wanted: Any) -> dict[str, str]:
    return {
        "limit": wanted.name or "any",
        "principal": wanted.principal or "any",
        "session": wanted.session or "any",
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
