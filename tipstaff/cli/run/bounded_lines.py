"""Log lines that recur, bounded: what callers can cause at will must not fill the disk.

A processor of structlog. In a minute it lets the first lines of a kind through; the next line after
that minute carries, as `not_logged`, how many of each kind there were besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import Any

from pep.judge.tallies import Tallies
from tipstaff.common.structlog_without_rich import structlog

_EACH, _IN_ALL, _KINDS, _SUMS = 60, 600, 256, 16


class BoundedLines:
    """The lines of one process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` counts seconds, never back."""
        self._clock = clock
        self._tallies = Tallies(each=_EACH, in_all=_IN_ALL, kinds=_KINDS, sums=_SUMS)
        self._sums: Counter[str] = Counter()

    def __call__(
        self, logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Let `event` pass, or raise `structlog.DropEvent`."""
        del logger, method
        for kind, count in self._tallies.end(self._clock()).items():
            self._sums[kind[0] or "others"] += count
        parts = (event.get(key) for key in ("event", "server", "code"))
        if self._tallies.add((" ".join(str(part) for part in parts if part),)) is not None:
            raise structlog.DropEvent
        if self._sums:
            event["not_logged"], self._sums = dict(self._sums), Counter()
        return event
