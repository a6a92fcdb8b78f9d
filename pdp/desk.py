"""The desk where calls come in: a repeated request gets its first answer, a grant is refunded once.

Both memories are bounded. What they forget errs on the safe side: a repeat that came too late is
judged and charged again, a refund that came too late is not given.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from pdp.api.model import Call, Decision
from pdp.batching import Batcher
from pdp.decide import Judgement, give_back, release
from pdp.errors import Overloaded, RequestError
from pdp.limits import Grant
from pdp.ports import StateStore

MAX_REMEMBERED = 10_000

_Waiting = tuple[Call, asyncio.Future[Decision]]


class Desk:
    """Takes calls in, remembers their answers by request id, and gives budgets back."""

    def __init__(self, batcher: Batcher, store: StateStore) -> None:
        """Remember nothing yet."""
        self._batcher = batcher
        self._store = store
        self._answers: OrderedDict[str, tuple[Call, asyncio.Future[Decision]]] = OrderedDict()
        self._grants: OrderedDict[str, Grant] = OrderedDict()

    def submit(self, call: Call) -> asyncio.Future[Decision]:
        """The decision on `call`, to come; raises `RequestError` or `Overloaded`."""
        return self.submit_all((call,))[0]

    def submit_all(self, calls: Sequence[Call]) -> list[asyncio.Future[Decision]]:
        """The decisions on `calls`, those that are new judged together by one revision."""
        fresh: list[_Waiting] = []
        try:
            futures = [self._future(call, fresh) for call in calls]
            if fresh:
                judging = self._batcher.submit([call for call, _ in fresh])
                judging.add_done_callback(lambda done: self._settle(fresh, done))
        except (RequestError, Overloaded):
            self._forget(fresh)
            raise
        return futures

    async def refund(self, decision_id: str) -> bool:
        """Give back what the decision took. True once, for a decision that took something."""
        grant = self._grants.pop(decision_id, None)
        return grant is not None and await give_back([grant], self._store)

    async def finish(self, decision_id: str) -> bool:
        """The call has ended: free its leases. True once, for a decision that held any."""
        grant = self._grants.pop(decision_id, None)
        return grant is not None and await release([grant], self._store)

    def _future(self, call: Call, fresh: list[_Waiting]) -> asyncio.Future[Decision]:
        """The answer of the first call with this request id; a new call is added to `fresh`."""
        same = structs.replace(call, trace_id="")
        first = self._answers.get(call.request_id)
        if first is None:
            future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
            fresh.append((call, future))
            _remember(self._answers, call.request_id, (same, future))
            return future
        if first[0] != same:
            raise RequestError("request_id", "already used for another call")
        return first[1]

    def _forget(self, fresh: Sequence[_Waiting]) -> None:
        for call, _ in fresh:
            self._answers.pop(call.request_id, None)

    def _settle(self, fresh: Sequence[_Waiting], done: asyncio.Future[list[Judgement]]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._forget(fresh)
            for _, future in fresh:
                if not future.done():
                    future.set_exception(done.exception() or asyncio.CancelledError())
            return
        for (_, future), judgement in zip(fresh, done.result(), strict=True):
            if judgement.grant is not None:
                _remember(self._grants, judgement.decision.decision_id, judgement.grant)
            if not future.done():
                future.set_result(judgement.decision)


def _remember(memory: OrderedDict[str, Any], key: str, value: Any) -> None:
    memory[key] = value
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)
