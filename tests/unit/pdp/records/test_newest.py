"""The newest records in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pdp.errors import JournalError
from pdp.records.newest import NewestRecords, Part


class Kept:
    """A journal that keeps, or fails."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.fails = False

    def write(self, lines: Sequence[bytes]) -> None:
        if self.fails:
            raise JournalError("full")
        self.lines += lines


def test_records_are_read_on_from_a_number() -> None:
    """And nothing is read twice."""
    records = NewestRecords(Kept())
    records.write([b"a\n", b"b\n"])
    assert records.after(0) == Part(b"a\nb\n", 2)
    records.write([b"c\n"])
    assert records.after(2) == Part(b"c\n", 3)
    assert records.after(3) == Part(b"", 3)


def test_what_is_forgotten_is_counted() -> None:
    """Both bounds hold: of number and of bytes."""
    few = NewestRecords(Kept(), most=2)
    few.write([b"a\n", b"b\n", b"c\n"])
    assert few.after(0) == Part(b"b\nc\n", 3, missed=1)
    small = NewestRecords(Kept(), most_bytes=5)
    small.write([b"aaa\n", b"bb\n"])
    assert small.after(0) == Part(b"bb\n", 2, missed=1)


def test_one_message_is_bounded_and_a_large_record_goes_alone() -> None:
    """The rest comes with the next."""
    records = NewestRecords(Kept())
    large = b"x" * (1024 * 1024 + 1)
    records.write([large, b"a\n", b"b\n"])
    first = records.after(0)
    assert (first.lines, first.number) == (large, 1)
    assert records.after(1) == Part(b"a\nb\n", 3)


def test_what_the_journal_did_not_take_is_nowhere() -> None:
    """No record, nothing to watch."""
    journal = Kept()
    records = NewestRecords(journal)
    journal.fails = True
    with pytest.raises(JournalError):
        records.write([b"a\n"])
    assert records.after(0) == Part(b"", 0)


async def test_a_watcher_waits_for_the_next_record() -> None:
    """And does not wait for what is there."""
    records = NewestRecords(Kept())
    waiting = asyncio.ensure_future(records.wait(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    records.write([b"a\n"])
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(records.wait(0), 1)
