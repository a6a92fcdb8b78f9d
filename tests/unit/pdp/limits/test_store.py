"""The stores: one atomic step, the same in memory and on SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdp.answer import Limit
from pdp.errors import StoreError
from pdp.limits import store as module
from pdp.limits.algorithms import SECOND
from pdp.limits.budgets import Budget, Claim
from pdp.limits.store import MemoryStore, SqliteStore
from pdp.ports import StateStore
from tests.calls import claims

Make = Callable[[], StateStore]


def budget(key: str, most: int = 3, window: int = 10, cost: int = 1) -> Budget:
    return Budget(key, Limit(name=key, scope="session", max=most, window=window, cost=cost))


@pytest.fixture(params=["memory", "sqlite", "sqlite, full"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    one = SqliteStore(tmp_path / "l.db", 0, is_full="full" in request.param)
    yield one
    one.close()


async def test_calls_of_one_batch_share_a_budget(store: StateStore) -> None:
    """Three units admit three of the four calls that come together."""
    taken = await store.take(claims([(budget("a"),)] * 4), now=1)
    assert [one.grant is not None for one in taken] == [True, True, True, False]


async def test_a_refused_call_takes_nothing_from_any_key(store: StateStore) -> None:
    """All or nothing: the key that had room still has it."""
    await store.take(claims([(budget("tight", 1),)]), now=1)
    refused = (await store.take(claims([(budget("tight", 1), budget("wide", 5))]), now=2))[0]
    assert refused.grant is None
    free = (await store.take(claims([(budget("wide", 5),)]), now=3))[0]
    assert free.results[0].remaining == 4


async def test_budgets_return_when_the_window_has_passed(store: StateStore) -> None:
    """A unit taken at 0 s counts until, but not at, 10 s."""
    for _ in range(3):
        await store.take(claims([(budget("a"),)]), now=0)
    late = (await store.take(claims([(budget("a"),)]), now=10 * SECOND - 1))[0]
    on_time = (await store.take(claims([(budget("a"),)]), now=10 * SECOND))[0]
    assert late.grant is None
    assert on_time.grant is not None


async def test_what_is_given_back_can_be_taken_again(store: StateStore) -> None:
    """A refund restores exactly what the grant took."""
    first = (await store.take(claims([(budget("a", cost=2),)]), now=1))[0]
    assert first.grant is not None
    await store.give_back([first.grant])
    again = (await store.take(claims([(budget("a", cost=3),)]), now=2))[0]
    assert again.grant is not None


async def test_giving_back_twice_mints_nothing(store: StateStore) -> None:
    """A second return of the same grant finds none of its units."""
    grants = [(await store.take(claims([(budget("a"),)]), now=at))[0].grant for at in (1, 2, 3)]
    assert grants[0] is not None
    await store.give_back([grants[0], grants[0]])
    taken = await store.take(claims([(budget("a"),)] * 2), now=4)
    assert [one.grant is not None for one in taken] == [True, False]


async def test_sqlite_remembers_over_a_restart(tmp_path: Path) -> None:
    """A new store on the same file sees what the old one committed, even without a close."""
    path = tmp_path / "l.db"
    await SqliteStore(path, 0).take(claims([(budget("a"),)] * 3), now=1)
    refused = (await SqliteStore(path, 2).take(claims([(budget("a"),)]), now=2))[0]
    assert refused.grant is None


async def test_instants_in_the_future_are_pulled_back_for_good(tmp_path: Path) -> None:
    """A clock set back over a restart locks out for one window at most, refused calls or not."""
    path = tmp_path / "l.db"
    await SqliteStore(path, 0).take(claims([(budget("a"),)] * 3), now=1000 * SECOND)
    reopened = SqliteStore(path, 5 * SECOND)
    assert (await reopened.take(claims([(budget("a"),)]), now=5 * SECOND))[0].grant is None
    assert (await reopened.take(claims([(budget("a"),)]), now=14 * SECOND))[0].grant is None
    assert (await reopened.take(claims([(budget("a"),)]), now=15 * SECOND))[0].grant is not None


async def test_sqlite_forgets_keys_that_hold_nothing(tmp_path: Path) -> None:
    """The file does not grow with every session that ever was."""
    path = tmp_path / "l.db"
    store = SqliteStore(path, 0)
    await store.take(claims([(budget(f"k{index}"),) for index in range(20)]), now=1)
    await store.take(claims([(budget("last"),)]), now=60 * SECOND)
    store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT key FROM counters").fetchall() == [("last",)]
    db.close()


async def test_sqlite_forgets_part_by_part_and_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has expired goes in time, wherever it stands; nothing else goes."""
    monkeypatch.setattr("pdp.limits.store._SWEEP_BATCH", 5)
    store = SqliteStore(tmp_path / "l.db", 0)
    windows = {f"k{index:02}": 10 if index % 3 else 1000 for index in range(40)}
    await store.take(claims([(budget(key, window=windows[key]),) for key in windows]), now=1)
    lasting = {key for key, window in windows.items() if window == 1000} | {"k99"}
    lefts = []
    for step in range(20):
        await store.take(claims([(budget("k99"),)]), now=60 * SECOND + step * SECOND)
        lefts.append(len(await store.state()))
    assert set(await store.state()) == lasting
    assert len(windows) > lefts[0] > lefts[1] > len(lasting)
    expired = dict.fromkeys(("a", "k50", "z"), 10)
    await store.take(claims([(budget(key),) for key in expired]), now=90 * SECOND)
    for step in range(12):
        await store.take(claims([(budget("k99"),)]), now=120 * SECOND + step * SECOND)
    assert set(await store.state()) == lasting
    store.close()


async def test_a_file_of_an_earlier_version_is_read_on(tmp_path: Path) -> None:
    """It has an index that is not needed any more."""
    path = tmp_path / "l.db"
    store = SqliteStore(path, 0)
    await store.take(claims([(budget("a", most=1),)]), now=1)
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("CREATE INDEX counters_expires ON counters (expires)")
    db.close()
    store = SqliteStore(path, 2)
    assert (await store.take([Claim("again", (budget("a", most=1),))], now=2))[0].grant is None
    store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall() == []
    db.close()


def test_sqlite_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Session ids are in it."""
    SqliteStore(tmp_path / "sub" / "l.db", 0)
    assert (tmp_path / "sub" / "l.db").stat().st_mode & 0o077 == 0


def test_folders_that_were_missing_above_it_are_readable_by_their_owner_only(
    tmp_path: Path,
) -> None:
    """Each of them."""
    SqliteStore(tmp_path / "a" / "b" / "l.db", 0).close()
    for name in ("a", "a/b"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_a_damaged_file_is_refused_at_start(tmp_path: Path) -> None:
    """Nobody is admitted on the word of a file that is not a database."""
    path = tmp_path / "l.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match="cannot use"):
        SqliteStore(path, 0)


async def test_a_store_that_fails_says_so(tmp_path: Path) -> None:
    """A closed database raises `StoreError`, for a take and for a return."""
    store = SqliteStore(tmp_path / "l.db", 0)
    grant = (await store.take(claims([(budget("a"),)]), now=1))[0].grant
    assert grant is not None
    store.close()
    with pytest.raises(StoreError):
        await store.take(claims([(budget("a"),)]), now=1)
    with pytest.raises(StoreError):
        await store.give_back([grant])


async def test_a_locked_database_fails_and_changes_nothing(tmp_path: Path) -> None:
    """Another writer that holds the file makes the step fail; the budget is still whole after."""
    path = tmp_path / "l.db"
    store = SqliteStore(path, 0)
    store._db.execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError):
        await store.take(claims([(budget("a"),)]), now=1)
    other.execute("ROLLBACK")
    other.close()
    assert (await store.take(claims([(budget("a"),)]), now=2))[0].results[0].remaining == 2


async def test_memory_makes_room_and_then_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full memory drops what no longer counts; when all of it counts, it fails closed."""
    monkeypatch.setattr(module, "MAX_MEMORY_KEYS", 2)
    store = MemoryStore()
    await store.take(claims([(budget("a"),), (budget("b"),)]), now=1)
    await store.take(claims([(budget("c"),), (budget("d"),)]), now=60 * SECOND)
    with pytest.raises(StoreError):
        await store.take(claims([(budget("e"),)]), now=61 * SECOND)


CALLS = st.lists(
    st.tuples(
        st.integers(0, 5 * SECOND),
        st.lists(
            st.builds(
                budget, st.sampled_from("abc"), st.integers(1, 4), st.just(3), st.integers(1, 3)
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda one: one.key,
        ),
        st.booleans(),
    ),
    max_size=25,
)


@given(CALLS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_sqlite_and_memory_always_agree(
    tmp_path_factory: pytest.TempPathFactory, calls: list
) -> None:  # type: ignore[type-arg]
    """Any history of takes and refunds gives the same answers in both."""
    memory = MemoryStore()
    sqlite = SqliteStore(tmp_path_factory.mktemp("s") / "l.db", 0)
    now = 0
    for pause, budgets, refund in calls:
        now += pause
        wanted = claims([budgets])
        left, right = await memory.take(wanted, now), await sqlite.take(wanted, now)
        assert left == right
        if refund and left[0].grant is not None:
            await memory.give_back([left[0].grant])
            await sqlite.give_back([left[0].grant])
    sqlite.close()


async def test_a_repeat_after_a_restart_gets_its_grant_and_takes_nothing(tmp_path: Path) -> None:
    """The reply was lost with the process: asking again must not cost a second unit."""
    path = tmp_path / "l.db"
    wanted = [Claim("r", (budget("a"),))]
    first = (await SqliteStore(path, 0).take(wanted, now=1))[0]
    store = SqliteStore(path, 2)
    repeat = (await store.take(wanted, now=2))[0]
    assert repeat.grant == first.grant
    assert repeat.results[0].passed
    assert repeat.results[0].remaining == 2
    assert (await store.take(claims([(budget("a"),)]), now=3))[0].results[0].remaining == 1


async def test_a_repeat_is_granted_even_when_the_limit_is_full(tmp_path: Path) -> None:
    """It holds one of the units that fill it."""
    store = SqliteStore(tmp_path / "l.db", 0)
    wanted = claims([(budget("a"),)] * 3)
    await store.take(wanted, now=1)
    assert all(one.grant for one in await store.take(wanted, now=2))
    assert (await store.take(claims([(budget("a"),)]), now=2))[0].grant is None


async def test_a_repeat_that_wants_other_units_is_no_repeat(tmp_path: Path) -> None:
    """Else one request id would open every limit."""
    store = SqliteStore(tmp_path / "l.db", 0)
    await store.take([Claim("r", (budget("a"),))], now=1)
    await store.take(claims([(budget("b", most=1),)]), now=1)
    assert (await store.take([Claim("r", (budget("b", most=1),))], now=2))[0].grant is None
    dearer = (await store.take([Claim("r", (budget("a", cost=2),))], now=2))[0]
    assert dearer.results[0].remaining == 0


async def test_a_grant_that_was_given_back_is_no_longer_a_grant(tmp_path: Path) -> None:
    """A repeat after a refund pays again."""
    store = SqliteStore(tmp_path / "l.db", 0)
    wanted = [Claim("r", (budget("a", most=1),))]
    grant = (await store.take(wanted, now=1))[0].grant
    assert grant is not None
    await store.give_back([grant])
    await store.take(claims([(budget("a", most=1),)]), now=2)
    assert (await store.take(wanted, now=3))[0].grant is None


async def test_grants_are_forgotten_after_a_minute(tmp_path: Path) -> None:
    """By then nobody waits for that reply, and the file must not grow."""
    store = SqliteStore(tmp_path / "l.db", 0)
    wanted = [Claim("r", (budget("a", most=1, window=600),))]
    await store.take(wanted, now=1)
    await store.take(claims([(budget("b"),)]), now=61 * SECOND)
    assert (await store.take(wanted, now=62 * SECOND))[0].grant is None


async def test_what_is_counted_can_be_seen_and_emptied(store: StateStore) -> None:
    """Key by key; what is left alone stays."""
    await store.take(claims([(budget("a"), budget("b", cost=2))]), now=1)
    assert await store.state() == {"a": (1,), "b": (1, 1)}
    assert await store.state(["b", "unknown"]) == {"b": (1, 1)}
    assert await store.state([]) == {}
    await store.forget(["b", "unknown"])
    assert await store.state() == {"a": (1,)}


def test_nobody_else_could_ever_open_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its mode before SQLite opens it, so that its side files have it too."""
    modes: list[int] = []
    connect = sqlite3.connect

    def look(path: Path, **more: Any) -> sqlite3.Connection:
        modes.append(path.stat().st_mode & 0o777)
        return connect(path, **more)

    monkeypatch.setattr(sqlite3, "connect", look)
    mask = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "limits.db", 1)
        modes += [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()]
        store.close()
    finally:
        os.umask(mask)
    assert set(modes) == {0o600}
