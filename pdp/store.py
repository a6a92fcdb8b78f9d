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
from types import MappingProxyType

import msgspec

from pdp.errors import StoreError
from pdp.limits import (
    Claim,
    Grant,
    Stamps,
    Taken,
    clamp,
    costs,
    returned_state,
    take,
    taken_before,
    taken_state,
)

MAX_MEMORY_KEYS = 1_000_000
_SWEEP_BATCH = 500
# How long a lost reply may be asked for again, in microseconds.
_GRANT_LIFE = 60_000_000
_encode = msgspec.json.Encoder().encode
_decode_costs = msgspec.json.Decoder(tuple[tuple[str, int], ...]).decode


def step(
    claims: Sequence[Claim],
    state: Mapping[str, Stamps],
    now: int,
    granted: Mapping[str, Grant] = MappingProxyType({}),
) -> tuple[list[Taken], dict[str, Stamps]]:
    """Apply the claims in order to `state`: what each took, and the keys that changed.

    `granted` are the grants of earlier requests, by request id. Only a claim to the very same
    units is a repeat of such a request.
    """
    changed: dict[str, Stamps] = {}
    view = {key: state[key] for key in _keys(claims) if key in state}
    results = []
    for claim in claims:
        earlier = granted.get(claim.request_id)
        if earlier is not None and earlier.costs == costs(claim):
            results.append(taken_before(claim, view, earlier, now))
            continue
        taken = take(claim, view, now)
        if taken.grant is not None:
            after = taken_state(claim.budgets, view, taken.grant)
            view.update(after)
            changed.update(after)
        results.append(taken)
    return results, changed


def _keys(claims: Sequence[Claim]) -> set[str]:
    return {budget.key for claim in claims for budget in claim.budgets}


class MemoryStore:
    """Keeps the state in a dict. A restart forgets it."""

    def __init__(self) -> None:
        """Start empty."""
        self._stamps: dict[str, Stamps] = {}
        self._expires: dict[str, int] = {}

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken]:
        """See `StateStore.take`."""
        if len(self._stamps) >= MAX_MEMORY_KEYS:
            self._sweep(now)
        results, changed = step(claims, self._stamps, now)
        self._stamps.update(changed)
        self._expires.update(_expiries(claims, changed))
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


def _expiries(claims: Sequence[Claim], changed: Mapping[str, Stamps]) -> dict[str, int]:
    """When each changed key holds nothing that counts any more."""
    windows = {budget.key: budget.limit.window for claim in claims for budget in claim.budgets}
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

    async def take(self, claims: Sequence[Claim], now: int) -> list[Taken]:
        """See `StateStore.take`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                results, changed = step(claims, self._load(claims), now, self._granted(claims))
                self._save(changed, _expiries(claims, changed))
                self._remember([one.grant for one in results if one.grant is not None])
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
                    self._db.execute("DELETE FROM grants WHERE request_id = ?", (grant.request_id,))
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
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS grants (request_id TEXT PRIMARY KEY, at INTEGER NOT NULL,"
            " costs BLOB NOT NULL) WITHOUT ROWID"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS grants_at ON grants (at)")
        self._pull_back(now)

    def _pull_back(self, now: int) -> None:
        """A clock set back over a restart locks out for one window at most."""
        rows = self._db.execute("SELECT key, units, expires FROM stamps").fetchall()
        for key, units, expires in rows:
            stamps = _unpack(units)
            if stamps and stamps[-1] > now:
                ends = expires - (stamps[-1] - now)
                self._save({key: clamp(stamps, now)}, {key: ends})
        self._db.execute("UPDATE grants SET at = ? WHERE at > ?", (now, now))

    def _load(self, claims: Sequence[Claim]) -> dict[str, Stamps]:
        keys = list(_keys(claims))
        rows = self._db.execute(
            f"SELECT key, units FROM stamps WHERE key IN ({_marks(keys)})",  # noqa: S608
            keys,
        )
        return {key: _unpack(units) for key, units in rows}

    def _granted(self, claims: Sequence[Claim]) -> dict[str, Grant]:
        """The grants of requests that come again, as after a reply that was lost."""
        ids = [claim.request_id for claim in claims]
        rows = self._db.execute(
            f"SELECT request_id, at, costs FROM grants WHERE request_id IN ({_marks(ids)})",  # noqa: S608
            ids,
        )
        return {row[0]: Grant(row[0], row[1], _decode_costs(row[2])) for row in rows}

    def _remember(self, grants: Sequence[Grant]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO grants VALUES (?, ?, ?)",
            [(one.request_id, one.at, _encode(one.costs)) for one in grants],
        )

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
        """Drop a few rows that hold nothing any more, so that the file does not grow for ever."""
        self._db.execute(
            "DELETE FROM stamps WHERE key IN (SELECT key FROM stamps WHERE expires <= ? LIMIT ?)",
            (now, _SWEEP_BATCH),
        )
        self._db.execute(
            "DELETE FROM grants WHERE request_id IN"
            " (SELECT request_id FROM grants WHERE at <= ? LIMIT ?)",
            (now - _GRANT_LIFE, _SWEEP_BATCH),
        )

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))


def _unpack(units: bytes) -> Stamps:
    stamps = array("q")
    stamps.frombytes(units)
    return tuple(stamps)
