"""The approvals of one decision service: begun, answered, used, waited for, watched. Edge: a store, a journal.

Every change is one atomic step of the store, and is in the journal before anybody is told of it. An answer
is kept as one that is not recorded, then recorded, then marked so; until then nobody goes on by it, also
when the service ends in between. An answer that cannot be recorded takes its approval back. Whoever waits is woken at once by a change made here; over a shared
store, changes made elsewhere are looked for twice a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import structlog
from msgspec import Struct, structs

from pdp.api.model import Approval
from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import Event, HeldCall
from pdp.approvals.port import MAX_KEPT, ApprovalStore, Filter, Step
from pdp.errors import AnswerError, JournalError, StoreError
from pdp.ports import Journal
from pdp.records import approval_record

_LOOK_SECONDS = 0.5
_MOST_DUE = 100
_MOST_UNREAD = 1000
_OVERLAP = 2 * life.SECOND  # changes are looked for this much earlier, since transactions overlap

log = structlog.get_logger("pdp.approvals")


class Seen(Struct, frozen=True):
    """An approval, and how many callers wait for it at this service."""

    held: HeldCall
    waiting: int


class Approvals:
    """See the module."""

    def __init__(
        self, store: ApprovalStore, journal: Journal, labels: Callable[[], dict[str, str]]
    ) -> None:
        """Keep approvals in `store` and record every change in `journal`, with `labels`."""
        self._store = store
        self._journal = journal
        self._labels = labels
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._watchers: set[asyncio.Queue[Seen | None]] = set()
        self._versions: dict[str, int] = {}

    async def now(self) -> int:
        """The time by which approvals live, in microseconds; raises `StoreError`."""
        return await self._store.now()

    async def begin(self, new: HeldCall) -> HeldCall:
        """The approval that answers the call of `new`: that itself, or one that an equal call has begun.

        Raises `ApprovalOverload`, `StoreError` or `JournalError`.
        """
        begun = await self._store.begin(new)
        if begun.is_new:
            try:
                self._record(None, begun.held)
            except JournalError:
                await self._take_back(begun.held.id)
                raise
        if begun.is_changed:
            self._publish(begun.held)
        return life.on_record(life.at(begun.held, await self._store.now()))

    async def claim(self, approval_id: str, request_id: str) -> HeldCall | None:
        """Use the grant for the request `request_id`: the approval after that, `None` when there is no grant.

        Raises `StoreError` or `JournalError`; the grant may be used then, and nobody may go on by it.
        """
        return await self._change(approval_id, lambda held, now: life.claim(held, request_id, now))

    async def contradict(self, approval_id: str, caller_id: str) -> None:
        """End an approval whose call, judged again, is not held on its terms; raises nothing.

        Only the caller whose approval it is can end it so.
        """

        def step(held: HeldCall, now: int) -> HeldCall | None:
            is_own = held.caller.id == caller_id
            return life.happens(life.at(held, now), Event.CONTRADICTED, now) if is_own else None

        await self._try(approval_id, step)

    async def lost(self, approval_id: str) -> None:
        """Note that the server's answer to the call that used the grant was lost; raises nothing."""
        await self._try(approval_id, lambda held, now: life.happens(held, Event.LOST, now))

    async def answer(self, approval_id: str, step: Step) -> Seen:
        """Change an approval by a person's answer; raises `AnswerError`, `StoreError` or `JournalError`.

        After an error the answer may be kept, and counts for nothing; giving it again records it.
        """
        changed = await self._store.change(approval_id, _unrecorded(step))
        if changed is None:
            raise _unknown(approval_id)
        before, held = changed
        if held.unrecorded:
            held = await self._record_answers(before, held)
        elif held is not before:
            self._record(before, held)
        if held is not before:
            self._publish(held)
        return self._seen(held)

    async def get(self, approval_id: str) -> Seen:
        """One approval as it is now; raises `AnswerError` or `StoreError`."""
        held = await self.look(approval_id)
        if held is None:
            raise _unknown(approval_id)
        return self._seen(held)

    async def look(self, approval_id: str) -> HeldCall | None:
        """One approval as it is now, `None` when there is none; raises `StoreError`."""
        held = (await self._store.get([approval_id])).get(approval_id)
        return None if held is None else life.on_record(life.at(held, await self._store.now()))

    async def find(self, selected: Filter, most: int) -> list[Seen]:
        """At most `most` approvals as they are now, pending ones first; raises `StoreError`."""
        now = await self._store.now()
        return [self._seen(life.at(held, now)) for held in await self._store.find(selected, most)]

    async def pending(self) -> int:
        """How many wait for an answer; raises `StoreError`."""
        return await self._store.pending()

    async def wait(self, approval_id: str, seconds: float) -> Approval:
        """The approval once it is no longer pending, or after `seconds`; raises `AnswerError` or `StoreError`."""
        with self._waiter(approval_id) as woken:
            held = (await self.get(approval_id)).held
            loop = asyncio.get_running_loop()
            ends = loop.time() + seconds
            while held.state is State.PENDING and loop.time() < ends:
                left = (held.ends - await self._store.now()) / life.SECOND
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(min(ends - loop.time(), left), 0.001)):
                        await woken.wait()
                woken.clear()  # before the look, so that no change falls in between
                held = (await self.get(approval_id)).held
        return life.summary(held, await self._store.now())

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[AsyncIterator[Seen]]:
        """Every change from now on; the changes end when their reader is too slow."""
        queue: asyncio.Queue[Seen | None] = asyncio.Queue(_MOST_UNREAD + 1)
        self._watchers.add(queue)

        async def changes() -> AsyncIterator[Seen]:
            while (seen := await queue.get()) is not None:
                yield seen

        try:
            yield changes()
        finally:
            self._watchers.discard(queue)

    async def run(self) -> None:
        """End approvals whose time is over, and look for changes of other services, until cancelled."""
        since = 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                since = await self._look(since)
            except StoreError as error:
                log.warning("approvals not looked after", error=str(error))

    async def _look(self, since: int) -> int:
        """Do what is due; the time until which changes have been seen."""
        for approval_id in await self._store.due(_MOST_DUE):
            await self._try(approval_id, life.at)
        now = await self._store.now()
        for held in await self._store.changed_since(since or now - _OVERLAP):
            is_on_record = life.on_record(held) is held
            if is_on_record and self._versions.get(held.id, -1) < held.version:
                self._publish(held)
        if len(self._versions) > MAX_KEPT:
            self._versions.clear()
        return now - _OVERLAP

    async def _change(self, approval_id: str, step: Step) -> HeldCall | None:
        changed = await self._store.change(approval_id, step)
        if changed is None:
            return None
        before, held = changed
        if held is not before:
            self._record(before, held)
            self._publish(held)
        return held

    async def _record_answers(self, before: HeldCall, held: HeldCall) -> HeldCall:
        """Record what people have said, and mark it so: the approval after that."""
        try:
            self._journal.write(approval_record.lines_of_answers(before, held, self._labels()))
        except JournalError:
            await self._take_back(held.id)
            raise
        count = len(held.answers)
        changed = await self._store.change(held.id, lambda held, _: life.recorded(held, count))
        return changed[1] if changed else held

    async def _try(self, approval_id: str, step: Step) -> None:
        try:
            await self._change(approval_id, step)
        except (StoreError, JournalError) as error:
            log.warning("approval not changed", approval=approval_id, error=str(error))

    async def _take_back(self, approval_id: str) -> None:
        """End an approval whose change could not be recorded."""
        try:
            await self._store.change(
                approval_id, lambda held, now: life.happens(held, Event.WITHDRAWN, now)
            )
        except StoreError as error:
            log.error(
                "an approval that is not recorded stands", approval=approval_id, error=str(error)
            )

    def _record(self, before: HeldCall | None, held: HeldCall) -> None:
        if approval_record.is_worth_a_line(before, held):
            self._journal.write([approval_record.line(before, held, self._labels())])

    def _publish(self, held: HeldCall) -> None:
        self._versions[held.id] = held.version
        for woken in self._waiting.get(held.id, ()):
            woken.set()
        seen = self._seen(held)
        for queue in tuple(self._watchers):
            if queue.qsize() >= _MOST_UNREAD:
                self._watchers.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(seen)

    def _seen(self, held: HeldCall) -> Seen:
        return Seen(life.on_record(held), len(self._waiting.get(held.id, ())))

    @contextlib.contextmanager
    def _waiter(self, approval_id: str) -> Iterator[asyncio.Event]:
        """Count as one who waits, while the block lasts."""
        woken = asyncio.Event()
        waiters = self._waiting.setdefault(approval_id, set())
        waiters.add(woken)
        try:
            yield woken
        finally:
            waiters.discard(woken)
            if not waiters:
                self._waiting.pop(approval_id, None)


def _unrecorded(step: Step) -> Step:
    """`step`, whose answer is kept as one that is not recorded."""

    def marked(held: HeldCall, now: int) -> HeldCall | None:
        after = step(held, now)
        new = 0 if after is None else len(after.answers) - len(held.answers)
        if after is None or not new:
            return after
        return structs.replace(after, unrecorded=held.unrecorded + new)

    return marked


def _unknown(approval_id: str) -> AnswerError:
    return AnswerError("APPROVAL_UNKNOWN", f"there is no approval {approval_id!r}")
