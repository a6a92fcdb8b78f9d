"""That a client has left, told to whoever works for it. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable

# The departure of a request's client, in the ASGI scope of a connection that can tell.
DEPARTURE = "tipstaff.departure"


class Departure:
    """The end of one connection."""

    def __init__(self, read_on: Callable[[], None]) -> None:
        """The client is here; `read_on` has its connection read, since else its end would not be seen."""
        self._read_on = read_on
        self._watching: set[Callable[[], None]] = set()
        self._has_left = False

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` when the client leaves, or now, when it has."""
        if self._has_left:
            left()
        else:
            self._watching.add(left)
            self._read_on()

    def unwatch(self, left: Callable[[], None]) -> None:
        """Do not call `left` any more."""
        self._watching.discard(left)

    def happen(self) -> None:
        """The client has left."""
        self._has_left = True
        watching, self._watching = self._watching, set()
        for left in watching:
            left()
