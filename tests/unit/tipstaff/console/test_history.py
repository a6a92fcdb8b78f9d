"""What the console remembers of the records: bounded, and counted right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tipstaff.console.history import EFFECTS, History, Selection, summed

NOW = datetime(2026, 11, 27, 12, 0, 30, tzinfo=UTC)


def record(number: int, ago: timedelta = timedelta(), **more: Any) -> dict[str, Any]:
    """A decision as the journal has it."""
    return {
        "type": "tipstaff.decision", "decision_id": f"d{number:09}",
        "timestamp": (NOW - ago).isoformat(), "server": "bank", "method": "tools/call",
        "target": "pay", "effect": "allow", "reason": {"code": "allowed", "message": "ok"},
        "principal": {"id": "ana", "kind": "jwt"}, "session": {"id": "s", "kind": "mcp"},
        "revision": "r1", "rule": "servers.bank", "phase": "call",
        **more,
    }  # fmt: skip


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in records)


def history(*records: dict[str, Any], most: int = 5000) -> History:
    made = History(most)
    made.add(lines(*records))
    return made


def names(decisions: Any) -> list[str]:
    return [decision.decision_id for decision in decisions]


def test_the_newest_come_first_and_the_oldest_are_forgotten() -> None:
    """So that memory is bounded."""
    made = history(*map(record, range(5)), most=3)
    assert names(made.newest(Selection())) == ["d000000004", "d000000003", "d000000002"]
    assert made.get("d000000001") is None
    assert made.get("d000000004") is not None
    assert made.seen == 5


def test_large_records_are_forgotten_sooner() -> None:
    """The bound is of bytes, too."""
    made = history(*(record(number, arguments={"x": "y" * 1_000_000}) for number in range(40)))
    assert 20 < len(list(made.newest(Selection()))) < 40


def test_a_record_that_comes_twice_counts_once() -> None:
    """As when a watch begins anew."""
    made = history(record(1), record(1))
    assert (made.seen, names(made.newest(Selection()))) == (1, ["d000000001"])


def test_a_line_that_cannot_be_read_is_missed() -> None:
    """And the others are kept."""
    made = History()
    made.add(b"{\n" + lines(record(1)) + b'{"type":"other"}\n', missed=3)
    assert (made.missed, made.seen) == (5, 1)


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        (Selection(), True),
        (Selection(effect="deny"), False),
        (Selection(server="ba*", tool="pay", caller="ana", session="s", code="all*"), True),
        (Selection(rule="servers.*"), True),
        (Selection(tool="PAY"), False),
        (Selection(phase="list"), False),
        (Selection(phase="*"), True),
        (Selection(tool="["), False),
    ],
)
def test_a_selection_fits_by_all_that_it_names(selection: Selection, fits: bool) -> None:
    """With * for anything."""
    assert bool(list(history(record(1)).newest(selection))) is fits


def test_neighbours_are_of_the_same_caller_and_session() -> None:
    """Also where their names hold what a selection reads as a pattern."""
    odd = {"principal": {"id": "a*[x]?", "kind": ""}}
    made = history(
        record(1, **odd), record(2), record(3, **odd), record(4, **odd, session={"id": "t"}),
        record(5, **odd), record(6, principal={"id": "aZ[x]?"}),
    )  # fmt: skip
    middle = made.get("d000000003")
    assert middle is not None
    before, after = made.neighbours(middle)
    assert (names(before), names(after)) == (["d000000001"], ["d000000005"])


def test_neighbours_are_the_nearest_in_order_of_time() -> None:
    """So many on each side."""
    made = history(*map(record, range(20)))
    middle = made.get("d000000010")
    assert middle is not None
    before, after = made.neighbours(middle, 2)
    assert names(before) == ["d000000008", "d000000009"]
    assert names(after) == ["d000000011", "d000000012"]


def test_calls_are_counted_by_minute_and_by_hour() -> None:
    """Entries of lists are no calls, and what is too old has gone."""
    made = history(
        record(1, timedelta(hours=30)), record(2, timedelta(minutes=90)),
        record(3, timedelta(minutes=2), effect="deny"), record(4, effect="hold"),
        record(5), record(6, phase="list", effect="deny"),
    )  # fmt: skip
    minutes = made.minutes(NOW)
    assert (len(minutes), minutes[57], summed(minutes)) == (60, (1, 0, 0), (1, 1, 1))
    hours = made.hours("bank", "pay")
    assert summed(hours.values()) == (1, 1, 2)
    assert dict(made.hours("bank", "other")) == {}
    assert EFFECTS == ("deny", "hold", "allow")


def test_what_a_limit_allows_is_known_from_the_last_decision_about_it() -> None:
    """Or not at all."""
    limit = {"name": "bank/pay", "scope": "session", "max": 5, "window": 60, "passed": True}
    made = history(record(1, limits=[limit]), record(2, limits=[limit | {"max": 9}]))
    assert made.limit_max("bank/pay", "session", 60) == 9
    assert made.limit_max("bank/pay", "session", 61) == 0


def test_revisions_follow_one_another() -> None:
    """Each with its first and last decision, and how many."""
    made = history(record(1), record(2), record(3, revision="r2"), record(4, revision=""))
    assert [(each.name, each.decisions) for each in made.revisions] == [("r1", 2), ("r2", 1)]


def test_people_s_answers_are_kept_and_other_changes_are_not() -> None:
    """The newest first."""
    change = {
        "type": "tipstaff.approval",
        "approval_id": "a-1",
        "timestamp": "t",
        "state": "pending",
    }
    answer = change | {"state": "granted", "by": "ana", "proven_by": "cli", "answer": "yes"}
    made = history(change, answer, answer | {"by": "bo"})
    assert [each.by for each in made.answers] == ["bo", "ana"]


def test_names_that_callers_choose_do_not_fill_the_memory() -> None:
    """The oldest go."""
    made = History(10)
    for start in range(0, 6000, 500):
        made.add(lines(*(record(n, target=f"t{n}") for n in range(start, start + 500))))
    assert dict(made.hours("bank", "t0")) == {}
    assert summed(made.hours("bank", "t5999").values()) == (0, 0, 1)


def test_a_time_that_cannot_be_read_stops_nothing() -> None:
    """It counts as long ago."""
    made = history(record(1, timestamp="yesterday"))
    assert summed(made.minutes(NOW)) == (0, 0, 0)
