"""Approvals in SQLite: one atomic step at a time, and all of it still there after a restart."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import SECOND, Caller, Event, HeldCall
from pdp.approvals.port import Filter
from pdp.approvals.store import SqliteApprovals
from pdp.errors import AnswerError, StoreError
from tests.held import START, held_call


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def granted(held: HeldCall, now: int) -> HeldCall:
    return life.happens(held, Event.GRANTED, now)


async def test_what_was_begun_is_found_and_survives(tmp_path: Path) -> None:
    """Whole, in a file that nobody else may read."""
    path, clock = tmp_path / "state" / "approvals.db", Clock()
    store = SqliteApprovals(path, clock)
    held = held_call()
    assert (await store.begin(held)).held == held
    await store.change("a-1", granted)
    await store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = SqliteApprovals(path, clock)
    assert (await again.get(["a-1", "a-2"]))["a-1"] == granted(held, START)
    await again.close()


async def test_a_step_that_raises_changes_nothing() -> None:
    """Nor does one that gives nothing, or what there was."""
    store = SqliteApprovals(None, Clock())
    await store.begin(held_call())

    def refusing(held: HeldCall, now: int) -> HeldCall:
        raise AnswerError("NO", "no")

    with pytest.raises(AnswerError):
        await store.change("a-1", refusing)
    assert await store.change("a-1", lambda held, now: None) is None
    before, after = await store.change("a-1", lambda held, now: held) or (None, 1)
    assert before is after
    assert await store.change("a-9", granted) is None
    assert (await store.get(["a-1"]))["a-1"] == held_call()
    await store.close()


async def test_pending_ones_come_first_and_then_the_newest() -> None:
    """As many as are asked for, of those that fit."""
    store, clock = SqliteApprovals(None, Clock()), Clock()
    for number in range(5):
        await store.begin(held_call(number=number, now=clock.now + number))
    await store.change("a-4", granted)
    shown = [held.id for held in await store.find(Filter(), 3)]
    assert shown == ["a-3", "a-2", "a-1"]
    assert [held.id for held in await store.find(Filter("granted"), 9)] == ["a-4"]
    assert await store.find(Filter(server="other"), 9) == []
    assert await store.pending() == 4
    await store.close()


async def test_what_is_due_is_told() -> None:
    """Pending or granted, once its time is over."""
    clock = Clock()
    store = SqliteApprovals(None, clock)
    await store.begin(held_call())
    assert await store.due(9) == []
    clock.now += 900 * SECOND
    assert await store.due(9) == ["a-1"]
    await store.change("a-1", life.at)
    assert await store.due(9) == []
    await store.close()


async def test_what_ended_long_ago_is_forgotten() -> None:
    """A few at each beginning, and nothing that is open."""
    clock = Clock()
    store = SqliteApprovals(None, clock)
    await store.begin(held_call(number=1))
    await store.begin(held_call(number=2))
    await store.change("a-1", lambda held, now: life.happens(held, Event.WITHDRAWN, now))
    clock.now += life.KEPT
    await store.begin(held_call(number=3, now=clock.now))
    assert set(await store.get(["a-1", "a-2", "a-3"])) == {"a-2", "a-3"}
    await store.close()


async def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest that have ended go; a no that still stands does not."""
    monkeypatch.setattr("pdp.approvals.store.MAX_KEPT", 3)
    clock = Clock()
    store = SqliteApprovals(None, clock)
    for number in range(6):
        await store.begin(held_call(number=number, now=clock.now + number))
        event = Event.REFUSED if number == 0 else Event.WITHDRAWN
        await store.change(
            f"a-{number}", lambda held, now, event=event: life.happens(held, event, now)
        )  # type: ignore[misc]
    kept = set(await store.get([f"a-{number}" for number in range(6)]))
    assert "a-0" in kept
    assert len(kept) <= 4
    await store.close()


async def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    """Not an empty one, which would ask again about what is granted."""
    path = tmp_path / "approvals.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"approvals\.db"):
        SqliteApprovals(path, Clock())


async def test_a_row_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """And changes nothing."""
    path = tmp_path / "approvals.db"
    store = SqliteApprovals(path, Clock())
    await store.begin(held_call())
    with sqlite3.connect(path) as other:
        other.execute("UPDATE approvals SET what = ?", (b"{}",))
    other.close()
    for asking in (store.get(["a-1"]), store.change("a-1", granted), store.begin(held_call())):
        with pytest.raises(StoreError):
            await asking
    await store.close()


async def test_a_store_that_others_lock_is_an_error_in_time(tmp_path: Path) -> None:
    """The call is refused then, and not kept for ever."""
    path = tmp_path / "approvals.db"
    store = SqliteApprovals(path, Clock())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        await store.begin(held_call())
    other.execute("ROLLBACK")
    other.close()
    assert (await store.begin(held_call())).is_new
    assert structs.asdict(held_call())["state"] is State.PENDING
    await store.close()


async def test_a_full_disk_lets_nothing_go_on(tmp_path: Path) -> None:
    """What was kept is still there, and the next call is held again when there is room."""
    store = SqliteApprovals(tmp_path / "approvals.db", Clock())
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    begun: list[str] = []

    async def flood() -> None:
        for number in range(200):
            held = held_call(number=number, caller=Caller(f"c{number}", "token"))
            begun.append((await store.begin(held)).held.id)

    with pytest.raises(StoreError, match="full"):
        await flood()
    assert await store.pending() == len(begun) > 0
    before = (await store.get(["a-0"]))["a-0"]
    with pytest.raises(StoreError, match="full"):
        await store.change("a-0", lambda held, now: structs.replace(held, used_by="r" * 50_000))
    assert (await store.get(["a-0"]))["a-0"] == before
    store._db.execute("PRAGMA max_page_count = 100000")
    assert (await store.begin(held_call(number=999))).is_new
    await store.close()


async def test_a_page_that_is_damaged_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A use may have been on it."""
    path = tmp_path / "approvals.db"
    store = SqliteApprovals(path, Clock())
    for number in range(50):
        await store.begin(held_call(number=number, caller=Caller(f"c{number}", "token")))
    await store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(byte ^ 0x5A for byte in data[4096:])
    path.write_bytes(data)
    with pytest.raises(StoreError):
        SqliteApprovals(path, Clock())
