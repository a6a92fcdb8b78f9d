"""Answers repeated requests with their first answer, and refunds a grant once.

Only a digest of a call is kept, so that its arguments do not stay in memory. The memories of answers
and of grants are bounded in number and in bytes. Forgetting errs on the safe side: a repeat that comes
too late is judged and charged again, a refund that comes too late is not given.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import structs

from pdp.api.model import Call, Decision, Effect
from pdp.decide import Judgement
from pdp.errors import Overloaded, RequestError
from pdp.grpc.batching import Batcher
from pdp.grpc.recent import Recent
from pdp.limits.budgets import Grant
from pdp.limits.returns import give_back, release
from pdp.ports import StateStore

MAX_REMEMBERED = 10_000
MAX_REMEMBERED_BYTES = 32 * 1024 * 1024
# The approximate size of an entry's objects, without its texts.
_ENTRY_BYTES = 2048
_PART_BYTES = 256
_LONG_BYTES = 2 * _ENTRY_BYTES  # a shorter one counts as one entry

_Waiting = tuple[Call, asyncio.Future[Decision]]
_Answer = tuple[bytes, asyncio.Future[Decision]]
_encode = msgspec.msgpack.Encoder().encode


class Idempotency:
    """Remembers decisions by request id, and refunds each grant at most once."""

    def __init__(self, batcher: Batcher, store: StateStore) -> None:
        """Remember nothing yet."""
        self._batcher = batcher
        self._store = store
        self._answers: Recent[_Answer] = Recent(MAX_REMEMBERED, MAX_REMEMBERED_BYTES)
        self._grants: Recent[Grant] = Recent(MAX_REMEMBERED, MAX_REMEMBERED_BYTES)
        self._approved: Recent[str] = Recent(MAX_REMEMBERED, MAX_REMEMBERED_BYTES)

    def submit(self, call: Call) -> asyncio.Future[Decision]:
        """Submit `call`; returns the future decision. Raises `RequestError` or `Overloaded`."""
        return self.submit_all((call,))[0]

    def submit_all(self, calls: Sequence[Call]) -> list[asyncio.Future[Decision]]:
        """Submit `calls`; the new ones are judged together, by one revision."""
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
        """Refund what the decision took; `True` once, for a decision that took something."""
        grant = self._grants.pop(decision_id)
        return grant is not None and await give_back([grant], self._store)

    async def finish(self, decision_id: str) -> bool:
        """Release the leases of a call that has ended; `True` once, for a decision that held any."""
        grant = self._grants.pop(decision_id)
        return grant is not None and await release([grant], self._store)

    def ended_by_approval(self, decision_id: str) -> str:
        """The approval that the call of the decision has used, "" when it used none; told once."""
        return self._approved.pop(decision_id) or ""

    def _future(self, call: Call, fresh: list[_Waiting]) -> asyncio.Future[Decision]:
        """The answer of the first call with this request id; a new call is added to `fresh`."""
        same = digest(call)
        first = self._answers.get(call.request_id)
        if first is None:
            future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
            fresh.append((call, future))
            self._answers.put(call.request_id, (same, future), _ENTRY_BYTES)
            return future
        if first[0] != same:
            raise RequestError("request_id", "already used for another call")
        return first[1]

    def _forget(self, fresh: Sequence[_Waiting]) -> None:
        for call, _ in fresh:
            self._answers.pop(call.request_id)

    def _settle(self, fresh: Sequence[_Waiting], done: asyncio.Future[list[Judgement]]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._forget(fresh)
            for _, future in fresh:
                if not future.done():
                    future.set_exception(done.exception() or asyncio.CancelledError())
            return
        for (call, future), judgement in zip(fresh, done.result(), strict=True):
            decision, grant = judgement.decision, judgement.grant
            if grant is not None:
                self._grants.put(decision.decision_id, grant, _grant_bytes(grant))
            if decision.effect is Effect.ALLOW and decision.approval is not None:
                self._approved.put(decision.decision_id, decision.approval.id, _PART_BYTES)
            if not future.done():
                future.set_result(decision)
            size = _decision_bytes(decision)
            if size > _LONG_BYTES and (answer := self._answers.get(call.request_id)) is not None:
                self._answers.put(call.request_id, answer, size)


def digest(call: Call) -> bytes:
    """A digest of `call` that tells a repeat from another call; without the trace, which differs between attempts."""
    same = structs.replace(call, trace_id="") if call.trace_id else call
    return hashlib.sha256(_encode(same)).digest()


def _decision_bytes(decision: Decision) -> int:
    """About how many bytes `decision` takes in memory: a rule may quote long texts of the caller."""
    size = _ENTRY_BYTES + len(decision.reason.message) + _PART_BYTES * len(decision.limits)
    for obligation in decision.obligations:
        size += _PART_BYTES + len(obligation.properties)
    for finding in decision.shadow:
        size += _PART_BYTES + len(finding.reason.message)
    return size


def _grant_bytes(grant: Grant) -> int:
    return _ENTRY_BYTES + sum(_PART_BYTES + len(spent.key) for spent in grant.spent)
