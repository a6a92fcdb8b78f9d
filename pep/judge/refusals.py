"""Refusals that the proxy makes by itself, recorded one by one up to a bound, then as sums. Edge: asyncio.

A caller without a credential can be refused thousands of times a second, and each record is a line on
the decision service's disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import structs

from pdp.api.model import Call, Principal, Reason, Session
from pep.judge.tallies import Kind, Tallies, of_anybody

_EACH, _IN_ALL, _KINDS, _SUMS = 10, 120, 512, 16
_PERIOD_SECONDS = 60.0
_ANYBODY = Principal("unauthenticated:several", "unauthenticated")


class Refusals:
    """Records the refusals of all servers."""

    def __init__(self, record: Callable[[Call, Reason], None], clock: Callable[[], float]) -> None:
        """`record` has a refusal recorded; `clock` counts seconds, never back."""
        self._record = record
        self._clock = clock
        self._tallies = Tallies(each=_EACH, in_all=_IN_ALL, kinds=_KINDS, sums=_SUMS)
        self._last: dict[Kind, Call] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: Call, reason: Reason) -> None:
        """Record, or count, that `call` was refused for `reason` without a decision."""
        self._tell(self._tallies.end(self._clock()))
        counted = self._tallies.add((call.server, reason.code, call.principal.id))
        if counted is None:
            self._record(call, reason)
            return
        principal = Principal(call.principal.id, call.principal.kind)
        self._last[counted] = structs.replace(call, target="", principal=principal)
        self._last[of_anybody(counted)] = self._last[counted]
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_PERIOD_SECONDS, self._end)

    def close(self) -> None:
        """Record the sums of the refusals that were only counted."""
        self._end()

    def _end(self) -> None:
        """Record the sums, as the minute is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell(self._tallies.sums())

    def _tell(self, sums: dict[Kind, int]) -> None:
        for kind, count in sums.items():
            call = self._last[kind]
            if not kind[-1]:
                session = Session(_ANYBODY.id, "principal")
                call = structs.replace(call, principal=_ANYBODY, session=session)
            message = f"{count} more like it were refused, and are not recorded one by one"
            self._record(call, Reason(kind[1], message))
        if sums:
            self._last.clear()
