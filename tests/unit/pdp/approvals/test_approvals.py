"""The approvals of a service: recorded, waited for, watched; and never granted without a record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from pdp.api.model import ApprovalState as State
from pdp.approvals import answers
from pdp.approvals.approvals import Approvals
from pdp.approvals.life import SECOND, HeldCall
from pdp.approvals.port import Filter
from pdp.approvals.store import SqliteApprovals
from pdp.approvals.terms import Terms
from pdp.errors import AnswerError, JournalError, StoreError
from tests.held import BO, START, held_call


class Journal:
    """Keeps lines, unless it is broken."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.is_broken = False

    def write(self, lines: Sequence[bytes]) -> None:
        if self.is_broken:
            raise JournalError("disk full")
        self.lines += [json.loads(line) for line in lines]

    @property
    def states(self) -> list[str]:
        return [line["state"] for line in self.lines]


class Book:
    """Approvals over memory, on a clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START
        self.journal = Journal()
        self.store = SqliteApprovals(None, lambda: self.now)
        self.approvals = Approvals(self.store, self.journal, lambda: {"site": "x"})

    async def grant(self, approval_id: str = "a-1") -> HeldCall:
        seen = await self.approvals.answer(
            approval_id, lambda held, now: answers.grant(held, BO, "", now)
        )
        return seen.held


@pytest.fixture
async def book() -> AsyncIterator[Book]:
    made = Book()
    yield made
    await made.store.close()


async def test_every_change_is_recorded_and_a_call_that_joins_is_not(book: Book) -> None:
    """The decision on it is on record already."""
    await book.approvals.begin(held_call())
    await book.approvals.begin(held_call(number=1))
    await book.grant()
    await book.approvals.claim("a-1", "r1")
    await book.approvals.claim("a-1", "r1")
    await book.approvals.lost("a-1")
    assert book.journal.states == ["pending", "granted", "used", "unknown"]
    assert book.journal.lines[2]["used_by"] == "r1"
    assert book.journal.lines[0]["labels"] == {"site": "x"}


async def test_nothing_is_held_or_granted_without_a_record(book: Book) -> None:
    """What could not be recorded is taken back."""
    book.journal.is_broken = True
    with pytest.raises(JournalError):
        await book.approvals.begin(held_call())
    assert (await book.approvals.get("a-1")).held.state is State.WITHDRAWN
    book.journal.is_broken = False
    await book.approvals.begin(held_call(number=2))
    book.journal.is_broken = True
    with pytest.raises(JournalError):
        await book.grant("a-2")
    assert (await book.approvals.get("a-2")).held.state is State.VOID
    assert await book.approvals.claim("a-2", "r") is None


async def test_a_use_that_could_not_be_recorded_lets_nobody_go(book: Book) -> None:
    """And the grant is used up, which is the safe side."""
    await book.approvals.begin(held_call())
    await book.grant()
    book.journal.is_broken = True
    with pytest.raises(JournalError):
        await book.approvals.claim("a-1", "r1")
    book.journal.is_broken = False
    assert await book.approvals.claim("a-1", "r2") is None


async def test_who_waits_is_woken_at_once(book: Book) -> None:
    """All of them, and each is seen while it waits."""
    await book.approvals.begin(held_call())
    waiting = [asyncio.ensure_future(book.approvals.wait("a-1", 60)) for _ in range(3)]
    while (await book.approvals.get("a-1")).waiting < 3:
        await asyncio.sleep(0)
    await book.grant()
    states = [(await asyncio.wait_for(each, 1)).state for each in waiting]
    assert states == [State.GRANTED] * 3
    assert (await book.approvals.get("a-1")).waiting == 0


async def test_a_wait_ends_with_its_time_or_with_the_approval_s(book: Book) -> None:
    """Whichever is over first; an answer that is there already is given at once."""
    await book.approvals.begin(held_call(Terms(decide_within=1)))
    assert (await book.approvals.wait("a-1", 0.01)).state is State.PENDING
    book.now += SECOND
    assert (await book.approvals.wait("a-1", 60)).state is State.EXPIRED
    with pytest.raises(AnswerError, match="no approval"):
        await book.approvals.wait("a-9", 60)


async def test_who_watches_sees_all_and_who_is_too_slow_is_let_go(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may look anew then, as a reader that fell behind has to."""
    monkeypatch.setattr("pdp.approvals.approvals._MOST_UNREAD", 2)
    async with book.approvals.watching() as changes:
        for number in range(1, 5):
            await book.approvals.begin(held_call(number=number))
        assert [seen.held.id async for seen in changes] == ["a-1", "a-2"]


async def test_what_is_due_ends_by_itself(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is recorded, though nobody asks."""
    monkeypatch.setattr("pdp.approvals.approvals._LOOK_SECONDS", 0.001)
    await book.approvals.begin(held_call())
    working = asyncio.ensure_future(book.approvals.run())
    book.now += 900 * SECOND
    async with asyncio.timeout(5):
        while book.journal.states != ["pending", "expired"]:
            await asyncio.sleep(0.001)
    working.cancel()
    assert await book.approvals.pending() == 0


async def test_a_store_that_fails_does_not_end_the_watch(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on when the store is back."""
    monkeypatch.setattr("pdp.approvals.approvals._LOOK_SECONDS", 0.001)
    looks = 0

    async def failing(most: int) -> list[str]:
        nonlocal looks
        looks += 1
        raise StoreError("away")

    monkeypatch.setattr(book.store, "due", failing)
    working = asyncio.ensure_future(book.approvals.run())
    async with asyncio.timeout(5):
        while looks < 3:
            await asyncio.sleep(0.001)
    assert not working.done()
    working.cancel()


async def test_only_its_caller_can_contradict_an_approval(book: Book) -> None:
    """Others would end what is not theirs."""
    await book.approvals.begin(held_call())
    await book.approvals.contradict("a-1", "token:other")
    assert (await book.approvals.get("a-1")).held.state is State.PENDING
    await book.approvals.contradict("a-1", "token:ana-agent")
    assert (await book.approvals.get("a-1")).held.state is State.WITHDRAWN
    await book.approvals.contradict("a-9", "token:ana-agent")


async def test_lists_show_what_is_now(book: Book) -> None:
    """Also what is over, and not yet ended."""
    await book.approvals.begin(held_call())
    book.now += 900 * SECOND
    (seen,) = await book.approvals.find(Filter(), 5)
    assert seen.held.state is State.EXPIRED
    assert await book.approvals.look("a-9") is None
