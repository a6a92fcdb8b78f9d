"""The sightings of changed tools, kept in a file over a restart. Edge: one small file, the log.

A failed write closes and opens no tool: the sighting holds while this process lives, an error is logged,
and the next list of tools causes another attempt. A file that cannot be read stops the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from pdp.errors import ConfigError
from pdp.tools import changed_tools
from pdp.tools.catalogue import Pin
from pdp.tools.changed_tools import Sighting, Sightings
from tipstaff.common import atomic_file

log = structlog.get_logger("pdp.changes")


class ChangesFile:
    """Keeps sightings at `path`, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        """Read the file; without one, begin with no sightings. Raises `ConfigError`."""
        self._path = path
        self._sightings = Sightings(read(path))
        self._is_saved = True

    def seen(self, server: str, tool: str, pin: Pin) -> str:
        """The digest that was seen instead of the pin's; "" when there was none."""
        return self._sightings.seen(server, tool, pin)

    def note(self, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
        """Keep `sightings`; returns those whose pins had none before."""
        fresh = self._sightings.note(sightings)
        for sighting in fresh:
            log.warning(
                "tool changed",
                server=sighting.server,
                tool=sighting.tool,
                pinned=sighting.pin.digest,
                seen=sighting.seen,
            )
        if fresh or not self._is_saved:
            self._save()
        return fresh

    def _save(self) -> None:
        try:
            atomic_file.replace(self._path, changed_tools.write(self._sightings.all()))
        except OSError as error:
            self._is_saved = False
            log.error(
                "changed tools not saved; they stay closed until this process ends",
                path=str(self._path),
                error=error.strerror,
            )
        else:
            self._is_saved = True


def read(path: Path) -> tuple[Sighting, ...]:
    """The sightings in the file at `path`; raises `ConfigError` when it cannot be read."""
    try:
        return changed_tools.read(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {path}: {error}; it says which tools have changed since they were accepted, "
            "and without it they would be open again. Restore it; or look at every server's tools "
            "yourself, and then delete it"
        ) from error
