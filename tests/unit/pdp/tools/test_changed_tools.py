"""Sightings of changed tools: one holds for good, against its own pin only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pdp.tools.catalogue import Pin
from pdp.tools.changed_tools import Sighting, Sightings, read, write

PIN = Pin("sha256:" + "a" * 64, "2026-11-24T22:00:00Z")
ONE = Sighting("files", "read", PIN, "sha256:" + "b" * 64)
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=9)
SIGHTINGS = st.lists(
    st.builds(Sighting, WORDS, WORDS, st.builds(Pin, WORDS, WORDS), WORDS),
    unique_by=lambda one: (one.server, one.tool, one.pin),
)


def test_a_sighting_holds_against_its_pin() -> None:
    """And says what was seen."""
    book = Sightings()
    assert book.seen("files", "read", PIN) == ""
    assert list(book.note([ONE])) == [ONE]
    assert book.seen("files", "read", PIN) == ONE.seen


@pytest.mark.parametrize(
    ("server", "tool", "pin"),
    [
        ("other", "read", PIN),
        ("files", "write", PIN),
        ("files", "read", structs.replace(PIN, digest=ONE.seen)),
        ("files", "read", structs.replace(PIN, accepted="2026-11-25T08:00:00Z")),
    ],
    ids=["another server", "another tool", "the new definition accepted", "the old one anew"],
)
def test_a_sighting_says_nothing_of_any_other_pin(server: str, tool: str, pin: Pin) -> None:
    """Accepting is what makes another pin."""
    assert Sightings([ONE]).seen(server, tool, pin) == ""


def test_only_the_first_sighting_against_a_pin_is_kept() -> None:
    """A server that lists something new every time cannot make it grow."""
    book = Sightings([ONE])
    again = structs.replace(ONE, seen="sha256:" + "c" * 64)
    other = structs.replace(ONE, tool="write")
    assert list(book.note([again, other, other])) == [other]
    assert book.all() == (ONE, other)


@given(SIGHTINGS)
def test_what_is_written_is_read_back(sightings: list[Sighting]) -> None:
    """Whatever tools are called."""
    assert Sightings(read(write(sightings))).all() == tuple(sightings)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"changed":[{}]}',
        b'{"changed":null}',
        b'{"changed":[],"more":1}',
        write([ONE])[:-9],
    ],
)
def test_what_was_not_written_so_is_an_error(data: bytes) -> None:
    """Never an empty book: that would open what is closed."""
    with pytest.raises(ValueError):
        read(data)
