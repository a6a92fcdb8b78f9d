"""The stores of the limits' state: in memory, or in SQLite.

Both apply the same pure step of `pdp.limits.budgets`. Nothing awaits inside a step, so that on one event
loop it is atomic by itself; SQLite commits before the answer leaves. A commit survives the death of
the process; a power failure may lose the newest, unless the store is told to wait for the disk.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from array import array
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from pdp.errors import StoreError
from pdp.limits.algorithms import Units
from pdp.limits.budgets import Claim, Grant, Taken, ends, returned_state, step
from pdp.limits.grant_log import GrantLog
from tipstaff.common.atomic_file import PRIVATE, PRIVATE_FOLDER, make_missing

MAX_MEMORY_KEYS = 1_000_000
_SWEEP_BATCH = 500
_SWEEP_PERIOD = 20_000  # microseconds
_AFTER_ALL_KEYS = b""  # to SQLite, any bytes come after every text
T = TypeVar("T")
log = structlog.get_logger("pdp.store")


class MemoryStore:
    """Keeps the state in a dict. A restart forgets it."""

    def __init__(self) -> None:
        """Start empty."""
        self._units: dict[str, Units] = {}
        self._expires: dict[str, int] = {}

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """See `StateStore.take`."""
        if len(self._units) >= MAX_MEMORY_KEYS:
            self._sweep(now)
        known = {key: self._units[key] for key in _keys(claims) if key in self._units}
        results, changed = step(claims, known, now, {})
        expires = ends(claims, changed)
        self._units.update(changed)  # nothing raises from here on, so that nothing is half taken
        self._expires.update(expires)
        return list(results)

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.give_back`."""
        for grant in grants:
            for spent in grant.spent:
                units = returned_state(self._units.get(spent.key, ()), grant.at, spent)
                if units:
                    self._units[spent.key] = units
                else:
                    self._units.pop(spent.key, None)
                    self._expires.pop(spent.key, None)

    async def release(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.release`."""
        await self.give_back(grants)

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        """See `StateStore.state`."""
        keys_to_read = self._units if keys is None else keys
        return {key: self._units[key] for key in keys_to_read if key in self._units}

    async def forget(self, keys: Sequence[str]) -> None:
        """See `StateStore.forget`."""
        for key in keys:
            self._units.pop(key, None)
            self._expires.pop(key, None)

    def _sweep(self, now: int) -> None:
        for key in [key for key, at in self._expires.items() if at <= now]:
            del self._units[key], self._expires[key]
        if len(self._units) >= MAX_MEMORY_KEYS:
            raise StoreError(f"more than {MAX_MEMORY_KEYS} limit keys in use")


class SqliteStore:
    """Keeps the state in one SQLite file that survives a restart."""

    def __init__(self, path: Path, now: int, *, is_full: bool = False) -> None:
        """Open or create `path`; raises `StoreError`. `now` is in microseconds.

        With `is_full`, commits survive a power failure too. They wait for the disk then, on a thread
        of their own, so that the calls of other batches go on.
        """
        self._thread = ThreadPoolExecutor(1, "limits") if is_full else None
        self._sweeps_at = 0
        self._swept = ""
        try:
            make_missing(path.parent, PRIVATE_FOLDER)
            # SQLite would make the file with the umask's mode; its side files get the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=2.0, check_same_thread=not is_full
            )
            path.chmod(PRIVATE)
            self._open(now)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot use {path}: {error}") from error

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        """See `StateStore.take`."""
        return await self._do(lambda: self._take(claims, now))

    async def give_back(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.give_back`."""
        await self._do(lambda: self._give_back(grants, forget=True))

    async def release(self, grants: Sequence[Grant]) -> None:
        """See `StateStore.release`."""
        await self._do(lambda: self._give_back(grants, forget=False))

    async def state(self, keys: Sequence[str] | None = None) -> Mapping[str, Units]:
        """See `StateStore.state`."""
        if keys is not None:
            return await self._do(lambda: self._load(keys))
        rows = await self._do(lambda: list(self._db.execute("SELECT key, units FROM counters")))
        return {key: _unpack(units) for key, units in rows}

    async def forget(self, keys: Sequence[str]) -> None:
        """See `StateStore.forget`."""
        delete = "DELETE FROM counters WHERE key = ?"
        await self._do(lambda: self._db.executemany(delete, [(key,) for key in keys]))

    def close(self) -> None:
        """Finish what is under way and close the file."""
        if self._thread is not None:
            self._thread.shutdown()
        self._db.close()

    async def _do(self, work: Callable[[], T]) -> T:
        """Do `work` in one transaction, committed when this returns; raises `StoreError`."""
        if self._thread is None:
            return self._transaction(work)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._transaction, work)

    def _transaction(self, work: Callable[[], T]) -> T:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                result = work()
                self._db.execute("COMMIT")
            except BaseException:
                self._grants.roll_back()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error
        self._grants.commit()
        return result

    def _take(self, claims: Sequence[Claim], now: int) -> list[Taken | None]:
        repeated = self._grants.find([claim.request_id for claim in claims])
        results, changed = step(claims, self._load(_keys(claims)), now, repeated)
        self._save(changed, ends(claims, changed))
        self._grants.add([result.grant for result in results if result.grant is not None], now)
        self._grants.forget(now)
        self._forget(now)
        return list(results)

    def _give_back(self, grants: Sequence[Grant], *, forget: bool) -> None:
        for grant in grants:
            self._return(grant)
        if forget:
            self._grants.remove(grants)

    def _open(self, now: int) -> None:
        verdict = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise StoreError(f"the limits database is damaged: {verdict}")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={'FULL' if self._thread else 'NORMAL'}")
        self._db.execute("PRAGMA journal_size_limit=8388608")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS counters (key TEXT PRIMARY KEY, expires INTEGER NOT NULL,"
            " units BLOB NOT NULL) WITHOUT ROWID"
        )
        # Earlier versions found old rows by an index, which was written at another random place for each call.
        self._db.execute("DROP INDEX IF EXISTS counters_expires")
        self._grants = GrantLog(self._db, now)
        _tell_of_clock(self._grants.last, now)

    def _load(self, keys: Sequence[str]) -> dict[str, Units]:
        rows = self._db.execute(
            f"SELECT key, units FROM counters WHERE key IN ({_marks(keys)})",  # noqa: S608
            keys,
        )
        return {key: _unpack(units) for key, units in rows}

    def _save(self, changed: Mapping[str, Units], expires: Mapping[str, int]) -> None:
        self._db.executemany(
            "INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET expires = excluded.expires, units = excluded.units",
            [(key, expires[key], array("q", units).tobytes()) for key, units in changed.items()],
        )

    def _return(self, grant: Grant) -> None:
        for spent in grant.spent:
            row = self._db.execute(
                "SELECT units FROM counters WHERE key = ?", (spent.key,)
            ).fetchone()
            if row is not None:
                units = returned_state(_unpack(row[0]), grant.at, spent)
                self._db.execute(
                    "UPDATE counters SET units = ? WHERE key = ?",
                    (array("q", units).tobytes(), spent.key),
                )

    def _forget(self, now: int) -> None:
        """Drop rows that hold nothing any more, so that the file does not grow for ever: a part of it at a time."""
        if now < self._sweeps_at:
            return
        self._sweeps_at = now + _SWEEP_PERIOD
        next_part = "SELECT key FROM counters WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?"
        last = self._db.execute(next_part, (self._swept, _SWEEP_BATCH)).fetchone()
        end: str | bytes = _AFTER_ALL_KEYS if last is None else last[0]
        expired = "DELETE FROM counters WHERE key > ? AND key <= ? AND expires <= ?"
        self._db.execute(expired, (self._swept, end, now))
        self._swept = "" if last is None else last[0]


def _tell_of_clock(last: int | None, now: int) -> None:
    """Log that the clock was moved while the service was down; nothing else can be done: see docs/limits.md."""
    if last is not None and last > now:
        log.warning("the clock is behind the last grant", seconds=(last - now) // 1_000_000)
    elif last is not None:
        log.info("limits restored", last_grant_seconds_ago=(now - last) // 1_000_000)


def _keys(claims: Sequence[Claim]) -> list[str]:
    return list({budget.key: None for claim in claims for budget in claim.budgets})


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))


def _unpack(data: bytes) -> Units:
    units = array("q")
    units.frombytes(data)
    return tuple(units)
