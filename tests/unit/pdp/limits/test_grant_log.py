"""What was granted: found again by the request, by the batch, after a restart, for a minute."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pdp.limits.budgets import Grant
from pdp.limits.grant_log import LIFE, GrantLog


def grant(request_id: str, at: int = 1) -> Grant:
    return Grant(request_id, at, "claim", ())


def opened(folder: Path, now: int = 0) -> GrantLog:
    return GrantLog(sqlite3.connect(folder / "l.db", isolation_level=None), now)


def added(log: GrantLog, now: int, *request_ids: str) -> None:
    log.add([grant(each, now) for each in request_ids], now)
    log.commit()


def test_a_grant_is_found_by_its_request_whatever_batch_it_came_in(tmp_path: Path) -> None:
    """Also after a restart; a request without one has none."""
    log = opened(tmp_path)
    added(log, 1, "a", "b")
    added(log, 2, "c")
    for each in (log, opened(tmp_path, 3)):
        assert each.find(["b", "c", "d"]) == {"b": grant("b", 1), "c": grant("c", 2)}
    assert opened(tmp_path, 3).last == 2


def test_a_grant_that_was_given_back_is_not_found(tmp_path: Path) -> None:
    """The others of its batch are."""
    log = opened(tmp_path)
    added(log, 1, "a", "b")
    log.remove([grant("a"), grant("never granted")])
    log.commit()
    for each in (log, opened(tmp_path, 2)):
        assert each.find(["a", "b"]) == {"b": grant("b", 1)}


def test_a_request_that_is_granted_again_has_its_newest_grant(tmp_path: Path) -> None:
    """The older one may be forgotten before it."""
    log = opened(tmp_path)
    added(log, 1, "a")
    added(log, LIFE, "a")
    log.forget(LIFE + 1)
    log.commit()
    assert log.find(["a"]) == {"a": grant("a", LIFE)}


def test_a_transaction_that_was_undone_leaves_nothing(tmp_path: Path) -> None:
    """Its batch is not there, so that a request must not be said to be in it."""
    db = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    log = GrantLog(db, 0)
    db.execute("BEGIN")
    log.add([grant("a")], 1)
    db.execute("ROLLBACK")
    log.roll_back()
    log.commit()
    assert log.find(["a"]) == {}


def test_after_a_minute_nothing_is_kept_in_the_file_or_in_memory(tmp_path: Path) -> None:
    """Batch by batch, the oldest first."""
    db = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    log = GrantLog(db, 0)
    for now in range(1, 101):
        added(log, now, f"r{now}")
    log.forget(LIFE + 60)
    log.commit()
    assert db.execute("SELECT count(*) FROM grants").fetchone() == (40,)
    assert set(log.find([f"r{now}" for now in range(1, 101)])) == {
        f"r{now}" for now in range(61, 101)
    }
    log.forget(LIFE + 100)
    log.commit()
    added(log, LIFE + 101, "new")
    assert set(log.find(["r100", "new"])) == {"new"}


def test_the_rows_of_an_earlier_version_are_dropped(tmp_path: Path) -> None:
    """There was one for each request."""
    db = sqlite3.connect(tmp_path / "l.db", isolation_level=None)
    db.execute("CREATE TABLE granted (request_id TEXT PRIMARY KEY)")
    GrantLog(db, 0)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("grants",)]


def test_grants_of_a_clock_that_was_set_back_are_of_now(tmp_path: Path) -> None:
    """Else they would be kept until the old time has come again."""
    added(opened(tmp_path), 1000 * LIFE, "a")
    log = opened(tmp_path, 5)
    assert log.last == 1000 * LIFE
    log.forget(5 + LIFE)
    log.commit()
    assert log.find(["a"]) == {}
