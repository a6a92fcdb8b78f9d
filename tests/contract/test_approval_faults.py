"""Whatever fails while people answer and calls are made: nobody goes on by what is not on record.

Each step of the store may fail before it is done, or be done and its answer lost; the journal may refuse; the
service may end at any of these places, and another one goes on with the same store.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import answers
from pdp.approvals.answers import Person
from pdp.approvals.approvals import Approvals
from pdp.approvals.life import HeldCall
from pdp.approvals.port import Begun, Step
from pdp.approvals.store import SqliteApprovals
from pdp.approvals.terms import Terms
from pdp.errors import AnswerError, JournalError, StoreError
from tests.held import BO, CY, START, held_call


class Fault(Enum):
    """What becomes of one step."""

    NONE = "it works"
    BEFORE = "it fails"
    AFTER = "it is done, and nobody hears of it"
    END = "the service ends when it is done"


class EndedError(BaseException):
    """The service ends; nothing of it goes on."""


class Plan:
    """The faults of the next steps, one after the other; those of a file of records, too."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = iter(faults)
        self.lines: list[dict[str, Any]] = []

    def next(self) -> Fault:
        return next(self.faults, Fault.NONE)

    def write(self, lines: Sequence[bytes]) -> None:
        """As the journal: all of the lines, or none."""
        fault = self.next()
        if fault in {Fault.BEFORE, Fault.AFTER}:
            raise JournalError("disk full")
        self.lines += [json.loads(line) for line in lines]
        if fault is Fault.END:
            raise EndedError


class Failing:
    """A store in memory whose changes fail as planned."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.inner = SqliteApprovals(None, lambda: START)
        self.now = self.inner.now
        self.get = self.inner.get

    async def begin(self, new: HeldCall) -> Begun:
        return await self.faulty(lambda: self.inner.begin(new))

    async def change(self, approval_id: str, step: Step) -> tuple[HeldCall, HeldCall] | None:
        return await self.faulty(lambda: self.inner.change(approval_id, step))

    async def faulty(self, work: Callable[[], Any]) -> Any:
        fault = self.plan.next()
        if fault is Fault.BEFORE:
            raise StoreError("away")
        result = await work()
        if fault is Fault.AFTER:
            raise StoreError("lost")
        if fault is Fault.END:
            raise EndedError
        return result


class Site:
    """One store and one journal, and services over them, of which each may end."""

    def __init__(self, faults: Sequence[Fault], terms: Terms) -> None:
        self.plan = Plan(faults)
        self.store = Failing(self.plan)
        self.terms = terms
        self.used: list[str] = []
        self.approvals = self.service()

    def service(self) -> Approvals:
        return Approvals(self.store, self.plan, dict)  # type: ignore[arg-type]

    async def attempt(self, work: Callable[[Approvals], Any]) -> Any:
        try:
            return await work(self.approvals)
        except EndedError:
            self.approvals = self.service()
        except (StoreError, JournalError, AnswerError):
            pass
        return None

    async def grant(self, person: Person) -> None:
        await self.attempt(
            lambda approvals: approvals.answer(
                "a-1", lambda held, now: answers.grant(held, person, "", now)
            )
        )

    async def claim(self, request: str) -> None:
        if await self.attempt(lambda approvals: approvals.claim("a-1", request)) is not None:
            self.used.append(request)
            self.check()

    def check(self) -> None:
        """What is on record by the moment at which a call goes on."""
        people = {line["by"] for line in self.plan.lines if line.get("answer") == "yes"}
        assert len(people) >= self.terms.count
        assert self.plan.lines[-1]["state"] == "used"
        assert len(set(self.used)) == 1


async def history(faults: Sequence[Fault], count: int) -> Site:
    """A call is held and made by impatient clients, and people answer, with these faults."""
    site = Site(faults, Terms(count=count))
    await site.attempt(lambda approvals: approvals.begin(held_call(site.terms)))
    for number, person in enumerate((BO, CY, BO, CY)):
        await site.grant(person)
        await site.claim(f"r{number}")
    for number in range(2):
        await site.claim(f"late{number}")
    await site.store.inner.close()
    return site


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(Fault), max_size=14), st.integers(1, 2))
def test_no_fault_lets_a_call_go_on_without_a_record(faults: list[Fault], count: int) -> None:
    """By people enough, and once."""
    asyncio.run(history(faults, count))


async def test_no_three_faults_of_a_grant_let_it_count_unrecorded() -> None:
    """Every combination, from the moment at which somebody says yes."""
    for faults in itertools.product(Fault, repeat=3):
        await history((Fault.NONE, Fault.NONE, *faults), 1)


async def test_without_faults_the_call_goes_on_once() -> None:
    """So that the histories above are about something."""
    site = await history((), 2)
    assert site.used == ["r1"]
    assert [line["state"] for line in site.plan.lines] == ["pending", "pending", "granted", "used"]


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.END])
async def test_an_answer_that_could_not_be_marked_counts_when_it_is_given_again(
    fault: Fault,
) -> None:
    """Until then its grant is none; the answer may be on record twice, which is better than never."""
    begun, kept = [Fault.NONE] * 2, [Fault.NONE]
    recorded = [Fault.END] if fault is Fault.END else [Fault.NONE, fault]
    site = Site([*begun, *kept, *recorded], Terms())
    await site.approvals.begin(held_call())
    await site.grant(BO)
    assert (await site.approvals.get("a-1")).held.state is State.PENDING
    await site.claim("r1")
    assert site.used == []
    await site.grant(BO)
    await site.claim("r2")
    assert site.used == ["r2"]
    assert [line.get("by") for line in site.plan.lines] == [None, "bo", "bo", None]
    await site.store.inner.close()


async def test_an_answer_that_its_service_could_not_record_is_recorded_with_the_next() -> None:
    """The first of two people answers, and the service ends: both are on record before the grant counts."""
    site = Site([Fault.NONE, Fault.NONE, Fault.END], Terms(count=2))
    await site.approvals.begin(held_call(site.terms))
    await site.grant(BO)
    assert len(site.plan.lines) == 1
    await site.grant(CY)
    await site.claim("r1")
    seen = [(line["state"], line.get("by")) for line in site.plan.lines]
    assert seen == [("pending", None), ("pending", "bo"), ("granted", "cy"), ("used", None)]
    await site.store.inner.close()


async def test_who_waits_hears_of_a_grant_when_it_is_on_record() -> None:
    """Neither earlier here, nor at a service that looks for changes of others."""
    site = Site([Fault.NONE, Fault.NONE, Fault.END], Terms())
    await site.approvals.begin(held_call())
    await site.grant(BO)
    assert (await site.approvals.wait("a-1", 0.01)).state is State.PENDING
    waiting = asyncio.ensure_future(site.approvals.wait("a-1", 20))
    await asyncio.sleep(0.01)
    await site.grant(BO)
    assert (await asyncio.wait_for(waiting, 5)).state is State.GRANTED
    await site.store.inner.close()


async def test_people_who_race_for_one_grant_leave_one_grant() -> None:
    """Of a quorum, answered at once, and used meanwhile."""
    site = Site((), Terms(count=2))
    await site.approvals.begin(held_call(site.terms))
    others = [site.service() for _ in range(3)]
    people = [structs.replace(BO, id=f"p{number}") for number in range(3)]
    await asyncio.gather(
        *(
            service.answer(
                "a-1", lambda held, now, person=person: answers.grant(held, person, "", now)
            )
            for service, person in zip(others, people, strict=True)
        ),
        *(site.claim(f"r{number}") for number in range(4)),
        return_exceptions=True,
    )
    await site.claim("late")
    assert len(site.used) == 1
    await site.store.inner.close()
