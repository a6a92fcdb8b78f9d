"""The places of processes of servers that are run here, as a machine: who gets one, who leaves. Pure.

Theory. A process takes its place from before its start until after its end, so a server never has more
processes than `max_processes`. The life of a place:

    opening ──opened──▶ open ──retired──▶ ending ──ended──▶ (gone)
       │                                    ▲
       ├──failed──▶ (gone)                  │
       └──retired───────────────────────────┘  it is ended once it has started, or has failed to

A place belongs to its key (a caller, or a caller's legacy session) until it is retired; from then on the key
may have another. A place that is retired to make room counts no more: the newcomer that takes its room
starts only when it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from pep.config import Server
from pep.mcp.methods import MODERN
from pep.ports import BusyError
from pep.upstreams.shares import ChildKey, Held, NoRoomError, leaving


class Phase(Enum):
    """Where a place is in its life."""

    OPENING = "opening"
    OPEN = "open"
    ENDING = "ending"


class InUse(Protocol):
    """What the machine asks of a process that has started."""

    @property
    def used_at(self) -> float:
        """When it was last used, by a monotonic clock in seconds."""

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""

    @property
    def is_heard(self) -> bool:
        """Whether a client listens to its own stream."""


class Place:
    """One process's place; `process` is what runs there, once it has started."""

    def __init__(self, key: ChildKey, server: Server) -> None:
        """It is opening."""
        self.key = key
        self.server = server
        self.phase = Phase.OPENING
        self.process: InUse | None = None
        self.counts = True

    def held(self) -> Held:
        """What the place is to those who want one."""
        process = self.process
        if process is None or self.phase is not Phase.OPEN:
            return Held(self.key, 0.0, is_idle=False)
        return Held(self.key, process.used_at, process.is_idle, process.is_heard)


class Start(Struct, frozen=True):
    """Start a process for the place, once `after` has ended."""

    place: Place
    after: Place | None


class End(Struct, frozen=True):
    """End what runs in the place, or will; `reason` says why, empty when it was asked for."""

    place: Place
    reason: str = ""


Action = Start | End
SETTINGS_CHANGED, IDLE, ENDED_ITSELF = "settings changed", "idle", "ended by itself"


class Places:
    """The places of all servers."""

    def __init__(self) -> None:
        """Nothing runs."""
        self._by_key: dict[ChildKey, Place] = {}
        self._ending: list[Place] = []

    def find(self, key: ChildKey) -> Place | None:
        """The place that belongs to the key."""
        return self._by_key.get(key)

    def owners(self) -> list[ChildKey]:
        """Whoever has a place."""
        return list(self._by_key)

    def renew(self, key: ChildKey, server: Server) -> list[Action]:
        """Before a process is wanted: one that was started by other settings is ended, if nobody loses by it."""
        place = self._by_key.get(key)
        if place is None or not _is_outdated(place, server):
            return []
        return self.retire(key, SETTINGS_CHANGED)

    def want(self, key: ChildKey, server: Server) -> tuple[Place, list[Action]]:
        """A caller wants a process: its place, and what is to be done for it; raises `BusyError`."""
        place = self._by_key.get(key)
        if place is not None:
            return place, []
        places = [*self._by_key.values(), *(place for place in self._ending if place.counts)]
        held = [place.held() for place in places if place.key.server == server.name]
        try:
            victim = leaving(held, key, server.max_processes)
        except NoRoomError as error:
            raise BusyError(str(error)) from error
        replaced = None if victim is None else self._by_key[victim]
        actions = [] if victim is None else self.retire(victim, makes_room=True)
        place = self._by_key[key] = Place(key, server)
        return place, [*actions, Start(place, replaced)]

    def opened(self, place: Place, process: InUse) -> None:
        """The process has started; in a place that was retired meanwhile it is about to be ended."""
        place.process = process
        if place.phase is Phase.OPENING:
            place.phase = Phase.OPEN

    def failed(self, place: Place) -> bool:
        """The process could not start: whether anybody was to have it."""
        if self._by_key.get(place.key) is not place:
            return False
        del self._by_key[place.key]
        return True

    def ended_itself(self, place: Place) -> list[Action]:
        """The process has come to its end without being told to."""
        if self._by_key.get(place.key) is not place:
            return []
        return self.retire(place.key, ENDED_ITSELF)

    def retire(self, key: ChildKey, reason: str = "", *, makes_room: bool = False) -> list[Action]:
        """Take the key's place from it, if it has one. It counts until it has ended, unless it `makes_room`."""
        place = self._by_key.pop(key, None)
        if place is None:
            return []
        place.phase = Phase.ENDING
        place.counts = not makes_room
        self._ending.append(place)
        return [End(place, reason)]

    def ended(self, place: Place) -> None:
        """What was to be ended has ended."""
        self._ending.remove(place)

    def take_over(self, servers: Sequence[Server]) -> list[Action]:
        """There are these servers from now on: processes of others end, and idle ones of changed ones.

        A legacy session whose server has changed goes on with its process, which holds its state.
        """
        by_name = {server.name: server for server in servers}
        actions: list[Action] = []
        for key, place in list(self._by_key.items()):
            server = by_name.get(key.server)
            if server is None or _is_outdated(place, server):
                actions += self.retire(key, SETTINGS_CHANGED)
        return actions

    def sweep(self, now: float) -> list[Action]:
        """End what nobody has used for long."""
        actions: list[Action] = []
        for key, place in list(self._by_key.items()):
            held = place.held()
            if held.is_idle and now - held.used_at > place.server.idle_seconds:
                actions += self.retire(key, IDLE)
        return actions


def _is_outdated(place: Place, server: Server) -> bool:
    """Whether a process was started by other settings, and nobody loses anything by its end."""
    return place.key.era == MODERN and place.server != server and place.held().is_idle
