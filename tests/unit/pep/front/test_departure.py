"""A client that leaves: who watches is told once, also who comes too late."""

from __future__ import annotations

from pep.front.departure import Departure


def test_whoever_watches_is_told_when_it_happens() -> None:
    """And not before, nor twice."""
    departure, seen = Departure(lambda: None), list[str]()
    departure.watch(lambda: seen.append("a"))
    assert seen == []
    departure.happen()
    departure.happen()
    assert seen == ["a"]


def test_whoever_does_not_watch_any_more_is_not_told() -> None:
    """Its work is done."""
    departure, seen = Departure(lambda: None), list[str]()

    def left() -> None:
        seen.append("a")

    departure.watch(left)
    departure.unwatch(left)
    departure.unwatch(left)
    departure.happen()
    assert seen == []


def test_whoever_comes_after_it_is_told_at_once() -> None:
    """Its client has left already."""
    departure, seen = Departure(lambda: None), list[str]()
    departure.happen()
    departure.watch(lambda: seen.append("a"))
    assert seen == ["a"]


def test_a_connection_that_is_watched_is_read() -> None:
    """After a large body nobody reads it, and its end would not be seen."""
    read: list[str] = []
    departure = Departure(lambda: read.append("on"))
    departure.watch(lambda: None)
    assert read == ["on"]
