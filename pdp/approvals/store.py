"""The stores of approvals on one machine: in memory, or in a SQLite file.

A step reads, changes and writes in one transaction. A commit waits for the disk: a grant whose use a power
failure could forget would be used twice. That takes milliseconds, on a thread of its own; people answer in
seconds.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import HeldCall
from pdp.approvals.port import MAX_KEPT, Begun, Filter, Step, begun
from pdp.errors import StoreError
from tipstaff.common.atomic_file import PRIVATE, PRIVATE_FOLDER, make_missing

_SWEEP_BATCH = 200
_TABLE = """
CREATE TABLE IF NOT EXISTS approvals (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, standing_key TEXT NOT NULL, principal TEXT NOT NULL,
    server TEXT NOT NULL, state TEXT NOT NULL, is_standing INTEGER NOT NULL, created INTEGER NOT NULL,
    changed INTEGER NOT NULL, ends INTEGER NOT NULL, what BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS approvals_key ON approvals (key, created);
CREATE INDEX IF NOT EXISTS approvals_standing ON approvals (standing_key) WHERE is_standing;
CREATE INDEX IF NOT EXISTS approvals_state ON approvals (state, ends);
CREATE INDEX IF NOT EXISTS approvals_created ON approvals (created);
"""
_OPEN = "state IN ('pending', 'granted')"
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(HeldCall).decode


class SqliteApprovals:
    """Keeps approvals in one SQLite file that survives a restart, or in memory without a `path`."""

    def __init__(self, path: Path | None, clock: Callable[[], int]) -> None:
        """Open or create `path`; raises `StoreError`. `clock` gives microseconds."""
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "approvals")
        try:
            if path is not None:
                make_missing(path.parent, PRIVATE_FOLDER)
                # SQLite would make the file with the umask's mode; its side files get the mode of this one.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
            self._db = sqlite3.connect(
                path or ":memory:", isolation_level=None, timeout=2.0, check_same_thread=False
            )
            if path is not None:
                path.chmod(PRIVATE)
            self._open()
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown()
            raise StoreError(f"cannot use {path}: {error}") from error

    async def now(self) -> int:
        """See `ApprovalStore.now`."""
        return self._clock()

    async def begin(self, new: HeldCall) -> Begun:
        """See `ApprovalStore.begin`."""
        return await self._do(lambda: self._begin(new))

    async def change(self, approval_id: str, step: Step) -> tuple[HeldCall, HeldCall] | None:
        """See `ApprovalStore.change`."""
        return await self._do(lambda: self._change(approval_id, step))

    async def get(self, ids: Sequence[str]) -> dict[str, HeldCall]:
        """See `ApprovalStore.get`."""
        marks = ",".join("?" * len(ids))
        rows = await self._do(
            lambda: self._all(f"SELECT what FROM approvals WHERE id IN ({marks})", ids)  # noqa: S608
        )
        return {held.id: held for held in rows}

    async def find(self, selected: Filter, most: int) -> Sequence[HeldCall]:
        """See `ApprovalStore.find`."""
        return await self._do(
            lambda: self._all(
                "SELECT what FROM approvals WHERE (? = '' OR state = ?) AND (? = '' OR server = ?)"
                " AND (? = '' OR principal = ?) ORDER BY state = 'pending' DESC, created DESC LIMIT ?",
                (*(text for text in selected.texts for _ in range(2)), most),
            )
        )

    async def pending(self) -> int:
        """See `ApprovalStore.pending`."""
        return await self._do(lambda: self._count("state = 'pending'"))

    async def due(self, most: int) -> Sequence[str]:
        """See `ApprovalStore.due`."""
        now = self._clock()
        rows = await self._do(
            lambda: self._db.execute(
                f"SELECT id FROM approvals WHERE {_OPEN} AND ends <= ? LIMIT ?",  # noqa: S608
                (now, most),
            ).fetchall()
        )
        return [row[0] for row in rows]

    async def changed_since(self, since: int) -> Sequence[HeldCall]:
        """See `ApprovalStore.changed_since`; the only service over this file knows its own changes."""
        del since
        return ()

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        self._thread.shutdown()
        self._db.close()

    async def _do(self, work: Callable[[], T]) -> T:
        """Do `work` in one transaction, committed when this returns; raises `StoreError`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._transaction, work)

    def _transaction(self, work: Callable[[], T]) -> T:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                result = work()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise StoreError(str(error)) from error
        return result

    def _open(self) -> None:
        verdict = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise StoreError(f"the database of approvals is damaged: {verdict}")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA journal_size_limit=8388608")
        self._db.executescript(_TABLE)

    def _begin(self, new: HeldCall) -> Begun:
        now = self._clock()
        result = begun(
            new,
            self._newest("key = ? ORDER BY created DESC", new.key),
            self._newest("is_standing AND standing_key = ?", new.standing_key),
            lambda: self._count("state = 'pending' AND principal = ?", new.caller.id),
            lambda: self._count("state = 'pending'"),
            now,
        )
        if result.is_changed:
            self._save(result.held)
            self._forget(now)
        return result

    def _change(self, approval_id: str, step: Step) -> tuple[HeldCall, HeldCall] | None:
        before = self._newest("id = ?", approval_id)
        if before is None:
            return None
        after = step(before, self._clock())
        if after is None:
            return None
        if after is not before:
            self._save(after)
        return before, after

    def _newest(self, where: str, value: str) -> HeldCall | None:
        if not value:
            return None
        rows = self._all(f"SELECT what FROM approvals WHERE {where} LIMIT 1", (value,))  # noqa: S608
        return rows[0] if rows else None

    def _all(self, query: str, values: Sequence[object]) -> list[HeldCall]:
        return [_decode(what) for (what,) in self._db.execute(query, tuple(values))]

    def _count(self, where: str, *values: str) -> int:
        query = f"SELECT count(*) FROM approvals WHERE {where}"  # noqa: S608
        count: int = self._db.execute(query, values).fetchone()[0]
        return count

    def _save(self, held: HeldCall) -> None:
        stands = held.is_standing and held.state is State.GRANTED
        self._db.execute(
            "INSERT OR REPLACE INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                held.id,
                held.key,
                held.standing_key,
                held.caller.id,
                held.subject.server,
                held.state.value,
                stands,
                held.created,
                held.changed,
                held.ends,
                _encode(held),
            ),
        )

    def _forget(self, now: int) -> None:
        """Drop a few approvals that ended long ago, and the oldest beyond what is kept."""
        old = now - life.KEPT
        self._db.execute(
            f"DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE NOT {_OPEN}"  # noqa: S608
            " AND changed <= ? ORDER BY created LIMIT ?)",
            (old, _SWEEP_BATCH),
        )
        extra = self._count("TRUE") - MAX_KEPT
        if extra > 0:
            self._db.execute(
                f"DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE NOT {_OPEN}"  # noqa: S608
                " AND NOT (state = 'refused' AND ends > ?) ORDER BY created LIMIT ?)",
                (now, min(extra, _SWEEP_BATCH)),
            )
