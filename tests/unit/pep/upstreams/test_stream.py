"""What is kept of what a child says, for whom, and how much."""

from __future__ import annotations

import asyncio

import pytest

from pep.ports import LostError
from pep.upstreams import stream as module
from pep.upstreams.stream import Storage, Stream


def made(storage: Storage | None = None, *, caller: str = "ann", keeps: bool = False) -> Stream:
    stream = Stream(1, None, caller, storage or Storage(), keeps=keeps)
    stream.readers = 1
    return stream


async def all_of(stream: Stream, seen: int = 0) -> list[bytes]:
    found = []
    while (message := await stream.after(seen, 0.01)) is not None:
        seen, text = message
        found.append(text)
    return found


async def test_messages_come_in_their_order_and_then_the_end() -> None:
    """Whoever waits is woken."""
    stream = made()
    waiting = asyncio.ensure_future(stream.after(0, 5))
    await asyncio.sleep(0)
    stream.put(b"a")
    assert await waiting == (1, b"a")
    stream.put(b"b")
    stream.finish()
    assert not stream.is_whole(1)
    assert await stream.after(1, 5) == (2, b"b")
    assert stream.is_whole(2)
    assert await stream.after(2, None) is None
    stream.put(b"c")
    assert stream.count == 2


async def test_what_has_been_read_is_forgotten_unless_it_is_kept() -> None:
    """A client that may come back reads it again."""
    storage = Storage()
    for keeps, left in ((False, []), (True, [b"a", b"b"])):
        stream = made(storage, keeps=keeps)
        for text in (b"a", b"b"):
            stream.put(text)
        stream.finish()
        assert await all_of(stream) == [b"a", b"b"]
        assert stream.told == 2
        assert await all_of(stream) == left
        stream.release()
        assert stream.size == (2 if keeps else 0)
        stream.readers = 0
        stream.release()
    assert storage.size == 0


async def test_a_stream_that_breaks_off_says_so_after_its_last_message() -> None:
    """What was said before is still read."""
    stream = made()
    stream.put(b"a")
    stream.finish(is_lost=True)
    assert await stream.after(0, None) == (1, b"a")
    with pytest.raises(LostError):
        await stream.after(1, None)


async def test_of_very_many_messages_the_first_are_forgotten() -> None:
    """By number and by size; the newest, which may be the answer, never is."""
    stream = made(keeps=True)
    for number in range(300):
        stream.put(b"%d" % number)
    assert await stream.after(0, 0) == (45, b"44")
    large = b"x" * (module._MOST_BYTES // 2)
    for _ in range(4):
        stream.put(large)
    assert stream.size <= module._MOST_BYTES + len(large)
    stream.put(large * 4)
    assert (await all_of(stream))[-1] == large * 4


async def test_a_full_storage_takes_from_the_caller_who_fills_it() -> None:
    """From the largest stream that nobody reads, before one that somebody does."""
    storage = Storage(100)
    ann, bob = made(storage, caller="ann"), made(storage, caller="bob")
    left, read = made(storage, caller="bob"), made(storage, caller="bob")
    left.readers = 0
    ann.put(b"a" * 30)
    left.put(b"l" * 10)
    read.put(b"r" * 20)
    bob.put(b"b" * 35)
    assert storage.size == 95
    read.put(b"r" * 10)
    assert (left.size, storage.size) == (0, 95)
    read.put(b"r" * 6)
    assert (read.size, storage.size) == (0, 65)
    for broken in (left, read):
        with pytest.raises(LostError):
            await broken.after(0, None)
    assert await ann.after(0, 0) == (1, b"a" * 30)
    assert await bob.after(0, 0) == (1, b"b" * 35)
    ann.put(b"a" * 101)
    assert (ann.size, storage.size) == (0, 35)


def test_a_stream_is_abandoned_when_nobody_has_come_back_for_long() -> None:
    """Not while somebody reads it."""
    stream = made()
    assert not stream.is_abandoned(1000, 60)
    stream.readers, stream.left_at = 0, 900.0
    assert not stream.is_abandoned(959, 60)
    assert stream.is_abandoned(960, 60)
