"""The places of processes of servers that are run here, as a machine that gives and takes them. Pure.

Theory. A process takes its place from before its start until after its end, so a server never has more
processes than `max_processes`. The life of a place:

    opening ──opened──▶ open ──retired──▶ ending ──ended──▶ (gone)
       │                                    ▲
       ├──failed──▶ (gone)                  │
       └──retired───────────────────────────┘  the process is ended once it has started or failed to

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
    """The phase of a place's life."""

    OPENING = "opening"
    OPEN = "open"
    ENDING = "ending"


class InUse(Protocol):
    """The parts of a started process that the machine reads."""

    @property
    def used_at(self) -> float:
        """The time of the last use, by a monotonic clock in seconds."""

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""

    @property
    def is_heard(self) -> bool:
        """Whether a client listens to the client's own stream."""


class Place:
    """The place of one process, which is `process` once it has started."""

    def __init__(self, key: ChildKey, server: Server) -> None:
        """Begin in the phase `OPENING`."""
        self.key = key
        self.server = server
        self.phase = Phase.OPENING
        self.process: InUse | None = None
        self.counts = True

    def held(self) -> Held:
        """The place as `shares` compares it with others."""
        process = self.process
        if process is None or self.phase is not Phase.OPEN:
            return Held(self.key, 0.0, is_idle=False)
        return Held(self.key, process.used_at, process.is_idle, process.is_heard)


class Start(Struct, frozen=True):
    """Start a process for the place, once `after` has ended."""

    place: Place
    after: Place | None


class End(Struct, frozen=True):
    """End the process that runs in the place, or will; `reason` is empty when its caller ended it."""

    place: Place
    reason: str = ""


Action = Start | End
SETTINGS_CHANGED, IDLE, ENDED_ITSELF = "settings changed", "idle", "ended by itself"


class Places:
    """The places of all servers."""

    def __init__(self) -> None:
        """No process has a place yet."""
        self._by_key: dict[ChildKey, Place] = {}
        self._ending: list[Place] = []

    def find(self, key: ChildKey) -> Place | None:
        """The place that belongs to the key."""
        return self._by_key.get(key)

    def owners(self) -> list[ChildKey]:
        """The keys that have a place."""
        return list(self._by_key)

    def renew(self, key: ChildKey, server: Server) -> list[Action]:
        """End the key's process if it was started by other settings and its end loses nothing."""
        place = self._by_key.get(key)
        if place is None or not _is_outdated(place, server):
            return []
        return self.retire(key, SETTINGS_CHANGED)

    def want(self, key: ChildKey, server: Server) -> tuple[Place, list[Action]]:
        """Give a caller a process: its place, and the actions for it; raises `BusyError`."""
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
        """Note that the process has started; if its place was retired meanwhile, it is about to be ended."""
        place.process = process
        if place.phase is Phase.OPENING:
            place.phase = Phase.OPEN

    def failed(self, place: Place) -> bool:
        """Note that the process could not start; returns whether the place was still wanted."""
        if self._by_key.get(place.key) is not place:
            return False
        del self._by_key[place.key]
        return True

    def ended_itself(self, place: Place) -> list[Action]:
        """Retire the place of a process that has ended by itself."""
        if self._by_key.get(place.key) is not place:
            return []
        return self.retire(place.key, ENDED_ITSELF)

    def retire(self, key: ChildKey, reason: str = "", *, makes_room: bool = False) -> list[Action]:
        """Take the key's place from it, if any. The place counts until it has ended, unless it `makes_room`."""
        place = self._by_key.pop(key, None)
        if place is None:
            return []
        place.phase = Phase.ENDING
        place.counts = not makes_room
        self._ending.append(place)
        return [End(place, reason)]

    def ended(self, place: Place) -> None:
        """Free the place of a process that was to be ended and has ended."""
        self._ending.remove(place)

    def take_over(self, servers: Sequence[Server]) -> list[Action]:
        """Use these servers from now on: processes of removed servers end, and idle ones of changed servers.

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
        """End processes that have not been used for long."""
        actions: list[Action] = []
        for key, place in list(self._by_key.items()):
            held = place.held()
            if held.is_idle and now - held.used_at > place.server.idle_seconds:
                actions += self.retire(key, IDLE)
        return actions


def _is_outdated(place: Place, server: Server) -> bool:
    """Whether a process was started by other settings, and its end loses nothing."""
    return place.key.era == MODERN and place.server != server and place.held().is_idle
