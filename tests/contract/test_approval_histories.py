"""Any history of held calls, answers, uses, clock steps and restarts, on every store, against a naive ledger.

The ledger knows who said yes to which call and when, and nothing of how a store keeps it. A call may go
on only by a grant of its own call, by enough distinct people, in time, and once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import answers, life
from pdp.approvals.answers import Person
from pdp.approvals.approvals import Approvals
from pdp.approvals.life import LIFE, SECOND, HeldCall
from pdp.approvals.port import ApprovalStore, Filter
from pdp.approvals.redis import RedisApprovals
from pdp.approvals.store import SqliteApprovals
from pdp.approvals.terms import Standing, Terms
from pdp.errors import AnswerError, ApprovalOverload, StoreError
from tests import redis_server
from tests.held import START, held_call

MOST = 3
PEOPLE = [
    Person("ana", ("ops",), "cli", ("token:ana-agent",)),
    Person("bo", ("ops", "dev"), "cli"),
    Person("cy", ("dev",), "oidc"),
    Person("di", (), "grpc"),
]
# What calls are made, and on which terms they are held. Those of one number are equal.
TERMS = [
    Terms(decide_within=10, use_within=5),
    Terms(approvers=("ops",), count=2, decide_within=20, use_within=10),
    Terms(count=2, not_self=False, decide_within=10, use_within=20),
    Terms(decide_within=10, standing=Standing(15)),
]
# The first is made most, so that what takes several steps comes about.
CALLS = [0, 0, 1, 1, 2, 3]
TRANSITIONS = {
    *((state, then) for (state, _), then in LIFE.items()),
    (State.GRANTED, State.GRANTED),
}
_numbers = itertools.count()


class Silent:
    """A journal that nobody reads."""

    def write(self, lines: object) -> None:
        """Keep nothing."""


class Histories(RuleBasedStateMachine):
    """The histories of one store; `make` opens it, as a new process would."""

    make: Callable[[Path, Callable[[], int], str], ApprovalStore]
    folder: Path
    survives_restart = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.name = f"h{next(_numbers)}"
        self.now = START
        self.requests = itertools.count()
        self.seen: dict[str, HeldCall] = {}
        self.users: dict[str, set[str]] = {}
        self.last: dict[int, str] = {}
        self.open()

    def open(self) -> None:
        self.store = type(self).make(self.folder, lambda: self.now, self.name)
        self.approvals = Approvals(self.store, Silent(), dict)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def note(self, held: HeldCall) -> None:
        """What an approval has become follows from what it was."""
        before = self.seen.get(held.id)
        if before is not None and before.state is not held.state:
            known = life.at(before, self.now)
            assert (known.state, held.state) in TRANSITIONS or known.state is held.state
        self.seen[held.id] = held

    def call_of(self, number: int) -> HeldCall:
        return held_call(
            TERMS[number],
            number=next(_numbers),
            now=self.now,
            key=f"sha256:call-{number}",
            standing_key=f"sha256:standing-{number}" if TERMS[number].standing else "",
        )

    @rule(number=st.sampled_from(CALLS))
    def hold(self, number: int) -> None:
        """A call is made that its rule holds."""
        try:
            held = self.run(self.approvals.begin(self.call_of(number)))
        except ApprovalOverload:
            pending = self.run(self.store.find(Filter(), 100))
            assert sum(each.state is State.PENDING for each in pending) >= MOST
            return
        assert held.key == f"sha256:call-{number}"
        assert life.answers_equal_calls(held, self.now)
        assert self.run(self.store.pending()) <= MOST
        self.last[number] = held.id
        self.note(held)

    @rule(
        number=st.sampled_from(CALLS),
        person=st.sampled_from(PEOPLE),
        standing=st.sampled_from([0, 0, 12]),
    )
    def grant(self, number: int, person: Person, standing: int) -> None:
        """Somebody says yes, whether or not they may."""
        self.answer(
            number, lambda held, now: answers.grant(held, person, "", now, standing=standing)
        )

    @rule(number=st.sampled_from(CALLS), person=st.sampled_from(PEOPLE))
    def refuse(self, number: int, person: Person) -> None:
        """Somebody says no."""
        self.answer(number, lambda held, now: answers.refuse(held, person, "", now))

    @rule(number=st.sampled_from(CALLS), person=st.sampled_from(PEOPLE))
    def withdraw(self, number: int, person: Person) -> None:
        """Somebody takes it back."""
        self.answer(number, lambda held, now: answers.withdraw(held, person, "", now))

    def answer(self, number: int, step: Any) -> None:
        if number not in self.last:
            return
        try:
            seen = self.run(self.approvals.answer(self.last[number], step))
        except AnswerError:
            return
        self.note(seen.held)

    @rule(number=st.sampled_from(CALLS))
    def agree(self, number: int) -> None:
        """Everybody says yes who may, whoever that is."""
        for person in PEOPLE:
            self.grant(number, person, 0)

    @rule(number=st.sampled_from(CALLS), repeats=st.booleans())
    def use(self, number: int, repeats: bool) -> None:
        """A request uses the grant that it finds, perhaps for the second time."""
        if number not in self.last:
            return
        approval_id = self.last[number]
        users = self.users.setdefault(approval_id, set())
        is_repeat = bool(users) and repeats
        request = max(users) if is_repeat else f"r{next(self.requests)}"
        used = self.run(self.approvals.claim(approval_id, request))
        if used is None:
            return
        self.check_use(used, request, number)
        users.add(request)
        self.note(used)

    def check_use(self, used: HeldCall, request: str, number: int) -> None:
        """What must hold of every use, whatever went before."""
        users = self.users[used.id]
        assert used.key == f"sha256:call-{number}"
        assert used.is_standing or not users - {request}
        if request in users:
            return
        terms = TERMS[number]
        yes = [answer for answer in used.answers if answer.is_grant]
        people = {
            answer.by
            for answer in yes
            if (not terms.approvers or set(terms.approvers) & set(answer.groups))
            and not (terms.not_self and answer.by == "ana")
        }
        assert len(people) >= terms.count
        assert not [answer for answer in used.answers if not answer.is_grant]
        granted_at = max(answer.at for answer in yes)
        lasts = 12 if used.is_standing else terms.use_within
        assert granted_at - used.created < terms.decide_within * SECOND
        assert self.now - granted_at < lasts * SECOND

    @rule(number=st.sampled_from(CALLS), by_its_caller=st.booleans())
    def contradict(self, number: int, by_its_caller: bool) -> None:
        """A call is judged again, and not held any more."""
        if number in self.last:
            caller = "token:ana-agent" if by_its_caller else "token:other"
            self.run(self.approvals.contradict(self.last[number], caller))
            self.note(self.run(self.store.get([self.last[number]]))[self.last[number]])

    @rule(number=st.sampled_from(CALLS))
    def lose(self, number: int) -> None:
        """The server's answer is lost."""
        if number in self.last:
            self.run(self.approvals.lost(self.last[number]))
            self.note(self.run(self.store.get([self.last[number]]))[self.last[number]])

    @rule(seconds=st.sampled_from([0.5, 1, 4.999999, 5, 10, 20]))
    def wait(self, seconds: float) -> None:
        """Time goes on."""
        self.now += int(seconds * SECOND)

    @rule()
    def sweep(self) -> None:
        """The service looks after what is due."""
        self.run(self.approvals._look(0))
        for held in self.run(self.store.find(Filter(), 100)):
            assert held.state not in life.OPEN or self.now < held.ends
            self.note(held)

    @rule()
    def restart(self) -> None:
        """The service ends and begins again."""
        if self.survives_restart:
            self.run(self.store.close())
            self.open()

    def teardown(self) -> None:
        """Nothing has changed but by what was seen."""
        for held in self.run(self.store.find(Filter(), 1000)):
            self.note(held)
        self.run(self.store.close())
        self.runner.close()


def histories(make: Any, folder: Path, *, survives: bool = True, examples: int = 200) -> None:
    machine = type("Machine", (Histories,), {
        "make": staticmethod(make), "folder": folder, "survives_restart": survives,
    })  # fmt: skip
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdp.approvals.port.MAX_PENDING_OF_CALLER", MOST)


@pytest.fixture(scope="module", params=redis_server.KINDS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[redis_server.Server]:
    with redis_server.running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


def test_in_memory_no_call_goes_on_without_a_grant_of_its_own(tmp_path: Path) -> None:
    """Until the service ends."""
    histories(lambda folder, clock, name: SqliteApprovals(None, clock), tmp_path, survives=False)


def test_in_a_file_no_call_goes_on_without_a_grant_of_its_own(tmp_path: Path) -> None:
    """Over any number of restarts."""
    histories(lambda folder, clock, name: SqliteApprovals(folder / f"{name}.db", clock), tmp_path)


def test_on_a_shared_store_no_call_goes_on_without_a_grant_of_its_own(
    shared: redis_server.Server, tmp_path: Path
) -> None:
    """Over any number of restarts."""
    histories(
        lambda folder, clock, name: RedisApprovals(shared.url, 2000, f"{name}:", clock),
        tmp_path,
        examples=60,
    )


async def test_of_many_services_one_uses_the_grant(shared: redis_server.Server) -> None:
    """However many race for it, and whichever of them is cut off in the middle."""
    prefix = f"race{next(_numbers)}:"
    stores = [RedisApprovals(shared.url, 2000, prefix) for _ in range(4)]
    services = [Approvals(store, Silent(), dict) for store in stores]
    now = await stores[0].now()
    for turn in range(10):
        held = structs.replace(held_call(number=turn, now=now), key=f"sha256:{prefix}{turn}")
        begun = await asyncio.gather(
            *(service.begin(structs.replace(held, id=f"{held.id}-{place}")) for place, service in enumerate(services))
        )  # fmt: skip
        (approval_id,) = {each.id for each in begun}
        assert (await services[0].get(approval_id)).held.joined == 4
        await services[0].answer(
            approval_id, lambda held, now: answers.grant(held, PEOPLE[1], "", now)
        )
        racing = [
            asyncio.ensure_future(service.claim(approval_id, f"{place}-{turn}-{number}"))
            for place, service in enumerate(services)
            for number in range(3)
        ]
        if turn % 2:
            await asyncio.sleep(0)
            await stores[3].close()
        results = await asyncio.gather(*racing, return_exceptions=True)
        used = [result for result in results if isinstance(result, HeldCall)]
        lost = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(error, StoreError) for error in lost)
        assert len(used) == 1 or (not used and lost)
        assert (await services[0].get(approval_id)).held.uses <= 1
    for store in stores:
        await store.close()


async def test_a_service_hears_of_what_another_has_changed(shared: redis_server.Server) -> None:
    """Whoever waits here is woken by an answer that was given there."""
    prefix = f"far{next(_numbers)}:"
    here, there = (RedisApprovals(shared.url, 2000, prefix) for _ in range(2))
    near, far = (Approvals(store, Silent(), dict) for store in (here, there))
    held = held_call(now=await here.now())
    await near.begin(held)
    working = asyncio.ensure_future(near.run())
    waiting = asyncio.ensure_future(near.wait(held.id, 20))
    await asyncio.sleep(0.05)
    await far.answer(held.id, lambda held, now: answers.grant(held, PEOPLE[1], "", now))
    assert (await asyncio.wait_for(waiting, 5)).state is State.GRANTED
    working.cancel()
    await asyncio.gather(here.close(), there.close())


async def test_a_store_that_is_away_is_an_error_of_the_store(tmp_path: Path) -> None:
    """Whatever is asked of it; nothing is taken for an answer."""
    store = RedisApprovals(f"unix://{tmp_path / 'nobody.sock'}", 200)
    for asking in (
        store.begin(held_call()), store.change("a", lambda held, now: held), store.get(["a"]),
        store.find(Filter(), 1), store.pending(), store.due(1), store.changed_since(0), store.now(),
    ):  # fmt: skip
        with pytest.raises(StoreError):
            await asking
    await store.close()
