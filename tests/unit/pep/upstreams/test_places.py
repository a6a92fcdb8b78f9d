"""Who has a process and who leaves, as scripts: nothing is started, and time is what the script says."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Struct, structs

from pep.config import Server
from pep.ports import BusyError
from pep.upstreams.places import (
    ENDED_ITSELF,
    IDLE,
    SETTINGS_CHANGED,
    Action,
    End,
    Phase,
    Place,
    Places,
    Start,
)
from pep.upstreams.shares import ChildKey

SERVER = Server("s", command=("x",), max_processes=4, idle_seconds=60)
OTHER = structs.replace(SERVER, name="t")
CHANGED = structs.replace(SERVER, command=("y",))


class Process(Struct):
    """What runs in a place."""

    used_at: float = 0.0
    is_idle: bool = True
    is_heard: bool = False


def modern(caller: str, server: str = "s") -> ChildKey:
    return ChildKey("modern", server, caller)


def legacy(session: str, caller: str = "ann") -> ChildKey:
    return ChildKey("legacy", "s", caller, session)


def started(places: Places, key: ChildKey, server: Server = SERVER, **facts: float | bool) -> Place:
    """A place whose process has started."""
    place, actions = places.want(key, server)
    assert actions == [Start(place, None)]
    places.opened(place, Process(**facts))  # type: ignore[arg-type]
    return place


def test_a_key_gets_a_place_once() -> None:
    """Whoever comes while it opens, or later, shares it."""
    places = Places()
    place, actions = places.want(modern("ann"), SERVER)
    assert actions == [Start(place, None)]
    assert places.want(modern("ann"), SERVER) == (place, [])
    assert place.phase is Phase.OPENING
    places.opened(place, Process())
    assert place.phase is Phase.OPEN
    assert places.want(modern("ann"), SERVER) == (place, [])
    assert places.want(modern("bob"), SERVER)[0] is not place
    assert places.want(modern("ann", "t"), OTHER)[0] is not place
    assert len(places.owners()) == 3


def test_a_process_that_cannot_start_leaves_its_place() -> None:
    """The next who wants one tries again."""
    places = Places()
    place, _ = places.want(modern("ann"), SERVER)
    assert places.failed(place)
    assert not places.failed(place)
    assert places.want(modern("ann"), SERVER)[0] is not place


def test_a_place_is_taken_from_its_key_at_once_and_counts_until_it_has_ended() -> None:
    """So there are never more processes than configured."""
    places = Places()
    one = structs.replace(SERVER, max_processes=1)
    place = started(places, modern("ann"), one)
    assert places.retire(modern("ann")) == [End(place)]
    assert places.retire(modern("ann")) == []
    assert places.find(modern("ann")) is None
    with pytest.raises(BusyError):
        places.want(modern("ann"), one)
    places.ended(place)
    assert places.want(modern("ann"), one)[0] is not place


def test_an_idle_process_makes_room_and_the_newcomer_waits_for_its_end() -> None:
    """It counts no more then: its room is taken."""
    places = Places()
    two = structs.replace(SERVER, max_processes=2)
    old = started(places, legacy("1"), two, used_at=1.0)
    started(places, legacy("2"), two, used_at=2.0)
    place, actions = places.want(legacy("3"), two)
    assert actions == [End(old), Start(place, old)]
    assert not old.counts
    assert places.find(legacy("1")) is None


def test_a_process_that_is_in_use_or_opening_or_ending_makes_no_room() -> None:
    """It is not known yet, or not any more, whether anybody waits for it."""
    places = Places()
    three = structs.replace(SERVER, max_processes=3)
    started(places, legacy("busy", "bob"), three, is_idle=False)
    places.want(legacy("opening", "carl"), three)
    started(places, legacy("ending", "dora"), three)
    places.retire(legacy("ending", "dora"))
    with pytest.raises(BusyError):
        places.want(legacy("new"), three)


def test_another_servers_processes_take_no_room() -> None:
    """Each has its own bound."""
    places = Places()
    one = structs.replace(OTHER, max_processes=1)
    started(places, modern("ann"), is_idle=False)
    started(places, modern("ann", "t"), one)


def test_a_place_that_is_retired_while_it_opens_is_ended_once_it_has_started() -> None:
    """It belongs to nobody, whatever comes of it."""
    places = Places()
    place, _ = places.want(modern("ann"), SERVER)
    assert places.retire(modern("ann")) == [End(place)]
    places.opened(place, Process())
    assert place.phase is Phase.ENDING
    assert not places.failed(place)
    assert places.ended_itself(place) == []
    assert places.want(modern("ann"), SERVER)[0] is not place


def test_a_process_that_ends_by_itself_gives_up_its_place() -> None:
    """Its key's next process is another."""
    places = Places()
    place = started(places, modern("ann"))
    assert places.ended_itself(place) == [End(place, ENDED_ITSELF)]
    new = started(places, modern("ann"))
    assert places.ended_itself(place) == []
    assert places.find(modern("ann")) is new


@pytest.mark.parametrize(
    ("key", "is_idle", "is_ended"),
    [(modern("ann"), True, True), (modern("ann"), False, False), (legacy("1"), True, False)],
    ids=["idle", "in use", "a session"],
)
def test_of_a_server_that_changed_only_an_idle_modern_process_is_ended(
    key: ChildKey, is_idle: bool, is_ended: bool
) -> None:
    """A legacy session's process holds its state; a call under way is not cut off."""
    for event in ("renew", "take over"):
        places = Places()
        place = started(places, key, is_idle=is_idle)
        assert places.renew(key, SERVER) == places.take_over([SERVER]) == []
        actions = places.renew(key, CHANGED) if event == "renew" else places.take_over([CHANGED])
        assert actions == ([End(place, SETTINGS_CHANGED)] if is_ended else [])


def test_processes_of_a_server_that_is_gone_are_ended() -> None:
    """Also those in use: nobody can reach them."""
    places = Places()
    gone = [started(places, legacy("1")), started(places, modern("ann"), is_idle=False)]
    stays = started(places, modern("ann", "t"), OTHER)
    actions = places.take_over([OTHER])
    assert actions == [End(place, SETTINGS_CHANGED) for place in gone]
    assert places.owners() == [stays.key]


def test_what_nobody_has_used_for_long_is_swept_away() -> None:
    """After its server's `idle_seconds`, and not what is in use or opening."""
    places = Places()
    idle = started(places, legacy("idle", "a"), used_at=0.0)
    started(places, legacy("in use", "b"), used_at=0.0, is_idle=False)
    started(places, legacy("used", "c"), used_at=50.0)
    places.want(legacy("opening", "d"), SERVER)
    assert places.sweep(60.0) == []
    assert places.sweep(60.5) == [End(idle, IDLE)]
    assert places.sweep(60.5) == []


class Running(RuleBasedStateMachine):
    """A pool that does what the machine says, at any pace: no more processes run than are allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.places = Places()
        self.processes: dict[int, tuple[Place, Process]] = {}
        self.waiting: list[Start] = []
        self.ending: list[Place] = []
        self.now = 0.0

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            (self.waiting if isinstance(action, Start) else self.ending).append(
                action if isinstance(action, Start) else action.place  # type: ignore[arg-type]
            )

    def pick(self, data: st.DataObject, options: list[object]) -> object:
        return options[data.draw(st.integers(0, len(options) - 1))]

    def ready(self) -> list[object]:
        """Starts whose room is free."""
        return [one for one in self.waiting if one.after is None or one.after not in self.ending]

    @rule(caller=st.sampled_from("abc"), session=st.sampled_from(["", "1", "2", "3"]))
    def want(self, caller: str, session: str) -> None:
        key = ChildKey("legacy" if session else "modern", "s", caller, session)
        self.carry_out(self.places.renew(key, SERVER))
        try:
            place, actions = self.places.want(key, SERVER)
        except BusyError:
            assert self.processes or self.waiting or self.ending
            return
        assert place.key == key
        self.carry_out(actions)

    @precondition(lambda self: self.ready())
    @rule(data=st.data(), is_failure=st.booleans())
    def start(self, data: st.DataObject, is_failure: bool) -> None:
        action = self.pick(data, self.ready())
        assert isinstance(action, Start)
        self.waiting.remove(action)
        if is_failure:
            self.places.failed(action.place)
            return
        process = Process(used_at=self.now)
        self.processes[id(action.place)] = (action.place, process)
        self.places.opened(action.place, process)

    @precondition(lambda self: self.can_end())
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        place = self.pick(data, self.can_end())
        assert isinstance(place, Place)
        self.ending.remove(place)
        self.processes.pop(id(place), None)
        self.places.ended(place)

    @precondition(lambda self: self.processes)
    @rule(data=st.data(), is_idle=st.booleans())
    def use(self, data: st.DataObject, is_idle: bool) -> None:
        _, process = self.pick(data, list(self.processes.values()))  # type: ignore[misc]
        process.is_idle, process.used_at = is_idle, self.now

    @precondition(lambda self: self.places.owners())
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        key = self.pick(data, list(self.places.owners()))
        assert isinstance(key, ChildKey)
        self.carry_out(self.places.retire(key))

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        place, _ = self.pick(data, list(self.processes.values()))  # type: ignore[misc]
        self.carry_out(self.places.ended_itself(place))

    @rule(seconds=st.sampled_from([1.0, 100.0]))
    def sweep(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(self.places.sweep(self.now))

    def running(self) -> list[Place]:
        return [place for place, _ in self.processes.values()]

    def can_end(self) -> list[object]:
        """An end waits for the start that is under way."""
        opening = {id(one.place) for one in self.waiting}
        return [place for place in self.ending if id(place) not in opening]

    @invariant()
    def no_more_run_than_are_allowed(self) -> None:
        assert len(self.processes) <= SERVER.max_processes

    @invariant()
    def every_process_has_an_owner_or_is_being_ended(self) -> None:
        for place in self.running():
            assert self.places.find(place.key) is place or place in self.ending

    @invariant()
    def whoever_waits_waits_for_something_that_can_happen(self) -> None:
        if self.waiting or self.ending:
            assert self.ready() or self.can_end()


Running.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRunning = Running.TestCase
