"""What requests were granted in the last minute, in an SQLite file: a row per batch, written one after the other.

Theory: a row per request, found by its identifier, is a random place in the file for every call: the pages
read and written for it cost more than the limits themselves. Batches are only appended. Which batch holds
a request is kept in memory and read back when the file is opened, because one process uses the file.

The caller's transaction holds every step; `commit` and `roll_back` say how it ended. Edge: SQLite.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence
from itertools import takewhile

import msgspec

from pdp.limits.budgets import Grant

# How long a request whose reply was lost may be repeated, in microseconds.
LIFE = 60_000_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Grant]).decode


class GrantLog:
    """The grants of the requests that may still be repeated."""

    def __init__(self, db: sqlite3.Connection, now: int) -> None:
        """Open or make the table; raises `sqlite3.Error`. `now` is in microseconds."""
        self._db = db
        self._batches: dict[str, int] = {}
        self._ages: deque[tuple[int, int, tuple[str, ...]]] = deque()
        self._added: tuple[int, int, tuple[str, ...]] | None = None
        self._deleted = 0
        # A row per request, as earlier versions wrote it: those requests cannot be repeated any more.
        db.execute("DROP TABLE IF EXISTS granted")
        db.execute(
            "CREATE TABLE IF NOT EXISTS grants (batch INTEGER PRIMARY KEY, at INTEGER NOT NULL, what BLOB NOT NULL)"
        )
        (self.last,) = db.execute("SELECT max(at) FROM grants").fetchone()
        db.execute("UPDATE grants SET at = ? WHERE at > ?", (now, now))
        for batch, at, what in db.execute("SELECT batch, at, what FROM grants ORDER BY batch"):
            self._keep(batch, at, tuple(grant.request_id for grant in _decode(what)))

    def find(self, request_ids: Sequence[str]) -> dict[str, Grant]:
        """The grants of those requests that have one."""
        batches = {each: self._batches[each] for each in request_ids if each in self._batches}
        grants = {}
        for batch in set(batches.values()):
            for grant in self._read(batch):
                if batches.get(grant.request_id) == batch:
                    grants[grant.request_id] = grant
        return grants

    def add(self, grants: Sequence[Grant], now: int) -> None:
        """Add the grants of one batch; once in a transaction."""
        if grants:
            row = (now, _encode(grants))
            batch = self._db.execute("INSERT INTO grants (at, what) VALUES (?, ?)", row).lastrowid
            assert batch is not None  # noqa: S101 - a row was inserted
            self._added = (batch, now, tuple(grant.request_id for grant in grants))

    def remove(self, grants: Sequence[Grant]) -> None:
        """Forget these grants, which were given back."""
        for grant in grants:
            batch = self._batches.get(grant.request_id)
            if batch is not None:
                left = [each for each in self._read(batch) if each.request_id != grant.request_id]
                self._db.execute(
                    "UPDATE grants SET what = ? WHERE batch = ?", (_encode(left), batch)
                )

    def forget(self, now: int) -> None:
        """Delete the batches that nobody repeats any more: the first ones."""
        old = [batch for batch, _, _ in takewhile(lambda age: age[1] <= now - LIFE, self._ages)]
        if old:
            self._db.execute("DELETE FROM grants WHERE batch <= ?", (old[-1],))
        self._deleted = len(old)

    def commit(self) -> None:
        """What was added is kept, what was deleted is gone."""
        for _ in range(self._deleted):
            batch, _, request_ids = self._ages.popleft()
            for each in request_ids:
                if self._batches.get(each) == batch:
                    del self._batches[each]
        if self._added is not None:
            self._keep(*self._added)
        self.roll_back()

    def roll_back(self) -> None:
        """What was added is not there, what was deleted is."""
        self._added, self._deleted = None, 0

    def _keep(self, batch: int, at: int, request_ids: tuple[str, ...]) -> None:
        self._ages.append((batch, at, request_ids))
        for each in request_ids:
            self._batches[each] = batch

    def _read(self, batch: int) -> list[Grant]:
        row = self._db.execute("SELECT what FROM grants WHERE batch = ?", (batch,)).fetchone()
        return [] if row is None else _decode(row[0])
