"""Where the state of the limits is kept: in memory, or in SQLite.

Both apply the same pure step of `pdp.limits`. Nothing awaits inside a step, so that on one event
loop it is atomic by itself; SQLite commits before the answer leaves. With `synchronous=NORMAL` a
commit survives the death of the process; a power failure may lose the newest commits.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from pdp.errors import StoreError
from pdp.limits import Budget, Grant, Stamps, Taken, clamp, returned_state, take, taken_state

MAX_MEMORY_KEYS = 1_000_000
_SWEEP_BATCH = 500


def step(
    wanted: Sequence[tuple[Budget, ...]], state: Mapping[str, Stamps], now: int
) -> tuple[list[Taken], dict[str, Stamps]]:
    """Apply the calls in order to `state`: what each took, and the keys that changed."""
    changed: dict[str, Stamps] = {}
    view = {key: state[key] for budgets in wanted for key in _keys(budgets) if key in state}
    results = []
    for budgets in wanted:
        taken = take(budgets, view, now)
        if taken.grant is not None:
            after = taken_state(budgets, view, taken.grant)
            view.update(after)
            changed.update(after)
        results.append(taken)
    return results, changed


def _keys(budgets: tuple[Budget, ...]) -> list[str]:
    return [budget.key for budget in budgets]


class MemoryStore:
    """Keeps the state in a dict. A restart forgets it."""

    def __init__(self) -> None:
        """Start empty."""
        self._stamps: dict[str, Stamps] = {}
        self._expires: dict[str, int] = {}

    async def take(self, wanted: Sequence[tuple[Budget, ...]], now: int) -> list[Taken]:
        """See `StateStore.take`."""
        if len(self._stamps) >= MAX_MEMORY_KEYS:
            self._sweep(now)
        results, changed = step(wanted, self._stamps, now)
        self._stamps.update(changed)
        self._expires.update(_expiries(wanted, changed))
        return results

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.give_back`."""
        for grant in grants:
            for key, cost in grant.costs:
                stamps = returned_state(self._stamps.get(key, ()), grant.at, cost)
                if stamps:
                    self._stamps[key] = stamps
                else:
                    self._stamps.pop(key, None)
                    self._expires.pop(key, None)

    def _sweep(self, now: int) -> None:
        for key in [key for key, at in self._expires.items() if at <= now]:
            del self._stamps[key], self._expires[key]
        if len(self._stamps) >= MAX_MEMORY_KEYS:
            raise StoreError(f"more than {MAX_MEMORY_KEYS} limit keys in use")


def _expiries(
    wanted: Sequence[tuple[Budget, ...]], changed: Mapping[str, Stamps]
) -> dict[str, int]:
    """When each changed key holds nothing that counts any more."""
    windows = {budget.key: budget.limit.window for budgets in wanted for budget in budgets}
    return {key: stamps[-1] + windows[key] * 1_000_000 for key, stamps in changed.items()}


class SqliteStore:
    """Keeps the state in one SQLite file that survives a restart."""

    def __init__(self, path: Path, now: int) -> None:
        """Open or create `path`; raises `StoreError`. Instants after `now` are pulled back to it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            path.chmod(0o600)
            self._open(now)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot use {path}: {error}") from error

    async def take(self, wanted: Sequence[tuple[Budget, ...]], now: int) -> list[Taken]:
        """See `StateStore.take`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                results, changed = step(wanted, self._load(wanted), now)
                self._save(changed, _expiries(wanted, changed))
                self._forget(now)
                self._db.execute("COMMIT")
            except BaseException:
                self._rollback()
                raise
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error
        return results

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.give_back`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for grant in grants:
                    self._return(grant)
                self._db.execute("COMMIT")
            except BaseException:
                self._rollback()
                raise
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _open(self, now: int) -> None:
        verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise StoreError(f"the limits database is damaged: {verdict}")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA journal_size_limit=8388608")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS stamps (key TEXT PRIMARY KEY, expires INTEGER NOT NULL,"
            " units BLOB NOT NULL) WITHOUT ROWID"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS stamps_expires ON stamps (expires)")
        self._pull_back(now)

    def _pull_back(self, now: int) -> None:
        """A clock set back over a restart locks out for one window at most."""
        rows = self._db.execute("SELECT key, units, expires FROM stamps").fetchall()
        for key, units, expires in rows:
            stamps = _unpack(units)
            if stamps and stamps[-1] > now:
                ends = expires - (stamps[-1] - now)
                self._save({key: clamp(stamps, now)}, {key: ends})

    def _load(self, wanted: Sequence[tuple[Budget, ...]]) -> dict[str, Stamps]:
        keys = list({budget.key for budgets in wanted for budget in budgets})
        marks = ",".join("?" * len(keys))
        rows = self._db.execute(f"SELECT key, units FROM stamps WHERE key IN ({marks})", keys)  # noqa: S608
        return {key: _unpack(units) for key, units in rows}

    def _save(self, changed: Mapping[str, Stamps], expires: Mapping[str, int]) -> None:
        self._db.executemany(
            "INSERT INTO stamps VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET expires = excluded.expires, units = excluded.units",
            [(key, expires[key], array("q", stamps).tobytes()) for key, stamps in changed.items()],
        )

    def _return(self, grant: Grant) -> None:
        for key, cost in grant.costs:
            row = self._db.execute("SELECT units FROM stamps WHERE key = ?", (key,)).fetchone()
            if row is not None:
                stamps = returned_state(_unpack(row[0]), grant.at, cost)
                self._db.execute(
                    "UPDATE stamps SET units = ? WHERE key = ?",
                    (array("q", stamps).tobytes(), key),
                )

    def _forget(self, now: int) -> None:
        """Drop a few keys that hold nothing any more, so that the file does not grow for ever."""
        self._db.execute(
            "DELETE FROM stamps WHERE key IN (SELECT key FROM stamps WHERE expires <= ? LIMIT ?)",
            (now, _SWEEP_BATCH),
        )

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _unpack(units: bytes) -> Stamps:
    stamps = array("q")
    stamps.frombytes(units)
    return tuple(stamps)
