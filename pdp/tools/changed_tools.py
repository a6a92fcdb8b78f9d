"""Remembers which tools were listed with another definition than the accepted one. Pure; `changed_tools_file` keeps it.

One sighting of another definition holds against a pin for good, also when the server lists the old
one again: a server that lists two definitions in turn is not to be trusted with either. Accepting makes
another pin, against which nothing has been seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from pdp.tools.catalogue import Pin


class Sighting(Struct, frozen=True, forbid_unknown_fields=True):
    """A definition that was listed, whose digest `seen` is not that of the pin."""

    server: str
    tool: str
    pin: Pin
    seen: str


class _Book(Struct, forbid_unknown_fields=True):
    changed: tuple[Sighting, ...]


_decode = msgspec.json.Decoder(_Book).decode


class Sightings:
    """The first sighting against each pin; keeping only the first bounds the memory."""

    def __init__(self, known: Iterable[Sighting] = ()) -> None:
        """Begin with the `known` sightings."""
        self._seen: dict[tuple[str, str, Pin], str] = {}
        self.note(known)

    def seen(self, server: str, tool: str, pin: Pin) -> str:
        """The digest that was seen instead of the pin's; "" when there was none."""
        return self._seen.get((server, tool, pin), "")

    def note(self, sightings: Iterable[Sighting]) -> Sequence[Sighting]:
        """Keep `sightings`; returns those whose pins had none before."""
        fresh = []
        for sighting in sightings:
            key = (sighting.server, sighting.tool, sighting.pin)
            if key not in self._seen:
                self._seen[key] = sighting.seen
                fresh.append(sighting)
        return fresh

    def all(self) -> tuple[Sighting, ...]:
        """Every sighting, the oldest first."""
        return tuple(Sighting(*key, seen) for key, seen in self._seen.items())


def read(data: bytes) -> tuple[Sighting, ...]:
    """Read the output of `write`; raises `ValueError`."""
    return _decode(data).changed


def write(sightings: Iterable[Sighting]) -> bytes:
    """The sightings as JSON that a person can read."""
    return msgspec.json.format(msgspec.json.encode(_Book(tuple(sightings)))) + b"\n"
