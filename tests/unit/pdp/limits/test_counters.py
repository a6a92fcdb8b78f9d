"""The key of a counter, there and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.answer import Limit
from pdp.limits.algorithms import SECOND
from pdp.limits.counters import Counter, CounterFilter, key_of, read, subject_of
from tests.calls import call

NOW = 1_790_000_000 * SECOND
TEXTS = st.text(max_size=12) | st.sampled_from(["1:a", "3:abc", ":", "0:", "a/b"])


def limit(**more: Any) -> Limit:
    return Limit(**{"name": "files/read", "scope": "session", "max": 9, "window": 60, **more})


def counter(units: tuple[int, ...] = (NOW,), now: int = NOW, **more: Any) -> Counter | None:
    return read(key_of(limit(**more), subject_of(call())), units, now)


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        ("session", ("anonymous:127.0.0.1", "cooperative", "s1")),
        ("principal", ("anonymous:127.0.0.1",)),
        ("tool", ("files", "read")),
        ("server", ("files",)),
        ("global", ()),
    ],
)
def test_a_key_says_of_which_limit_and_of_whom(scope: str, subject: tuple[str, ...]) -> None:
    """Everything but the maximum."""
    found = counter((NOW, NOW), scope=scope, shadow=True)
    assert found is not None
    assert (found.name, found.scope, found.window, found.shadow) == ("files/read", scope, 60, True)
    assert (found.subject, found.used, found.free_in_ms) == (subject, 2, 60_000)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_names_can_be_read_as_others(one: str, two: str, three: str, four: str) -> None:
    """Whatever a caller calls itself and its session."""
    first = key_of(limit(name=one or "n"), subject_of(call(principal=two or "p", session=three)))
    second = key_of(limit(name=one or "n"), subject_of(call(principal=two or "p", session=four)))
    assert (first == second) == (three == four)
    found = read(first, (NOW,), NOW)
    assert found is not None
    assert (found.name, found.subject) == (one or "n", (two or "p", "cooperative", three))


def test_units_that_have_left_the_window_are_not_shown() -> None:
    """Nor is a counter that holds nothing any more."""
    found = counter((NOW - 61 * SECOND, NOW - SECOND))
    assert found is not None
    assert (found.used, found.free_in_ms) == (1, 59_000)
    assert counter((NOW - 60 * SECOND,)) is None
    assert counter(()) is None


def test_a_rate_shows_when_it_is_full_again() -> None:
    """It counts time, not units."""
    found = counter((NOW + 1,), algorithm="gcra")
    assert found is not None
    assert (found.used, found.free_in_ms) == (0, 1)
    assert counter((NOW,), algorithm="gcra") is None


@pytest.mark.parametrize(
    ("wanted", "scopes"),
    [
        (CounterFilter(), {"session", "principal", "tool", "server", "global"}),
        (CounterFilter(name="files/read"), {"session", "principal", "tool", "server", "global"}),
        (CounterFilter(name="other"), set()),
        (CounterFilter(principal="anonymous:127.0.0.1"), {"session", "principal"}),
        (CounterFilter(principal="files"), set()),
        (CounterFilter(session="s1"), {"session"}),
        (CounterFilter(session="anonymous:127.0.0.1"), set()),
    ],
)
def test_what_is_wanted_is_what_is_found(wanted: CounterFilter, scopes: set[str]) -> None:
    """A principal's counters are also those of its sessions; nobody's are those of a tool."""
    found = [counter(scope=one) for one in ("session", "principal", "tool", "server", "global")]
    assert {one.scope for one in found if one is not None and wanted.fits(one)} == scopes
