"""What is kept of what a child says, for whom, and how much."""

from __future__ import annotations

import pytest

from pep.ports import LostError
from pep.upstreams import stream as module
from pep.upstreams.stream import Storage, Stream


def made(storage: Storage | None = None, *, caller: str = "ann", keeps: bool = False) -> Stream:
    stream = Stream(1, None, caller, storage or Storage(), keeps=keeps)
    stream.readers = 1
    return stream


def all_of(stream: Stream, seen: int = 0) -> list[bytes]:
    texts = []
    while (message := stream.after(seen)) is not None:
        seen, text = message
        texts.append(text)
    return texts


def test_messages_come_in_their_order_and_then_the_end() -> None:
    """After the end nothing more is said."""
    stream = made()
    assert (stream.after(0), stream.has_news(0)) == (None, False)
    stream.put(b"a")
    assert stream.has_news(0)
    assert stream.after(0) == (1, b"a")
    stream.put(b"b")
    stream.finish()
    assert not stream.is_whole(1)
    assert stream.after(1) == (2, b"b")
    assert stream.is_whole(2)
    assert (stream.after(2), stream.has_news(2)) == (None, True)
    stream.put(b"c")
    assert stream.count == 2


def test_whoever_waits_is_woken_by_a_message_and_by_the_end() -> None:
    """All of them, and nobody who waits no more."""
    stream, woken = made(), []

    def first() -> None:
        woken.append("first")
        stream.wakers.discard(first)

    stream.wakers |= {first, lambda: woken.append("second")}
    stream.put(b"a")
    stream.finish()
    assert sorted(woken) == ["first", "second", "second"]


def test_what_has_been_read_is_forgotten_unless_it_is_kept() -> None:
    """A client that may come back reads it again."""
    storage = Storage()
    for keeps, left in ((False, []), (True, [b"a", b"b"])):
        stream = made(storage, keeps=keeps)
        for text in (b"a", b"b"):
            stream.put(text)
        stream.finish()
        assert all_of(stream) == [b"a", b"b"]
        assert stream.told_count == 2
        assert all_of(stream) == left
        stream.release()
        assert stream.size == (2 if keeps else 0)
        stream.readers = 0
        stream.release()
    assert storage.size == 0


def test_a_stream_that_breaks_off_says_so_after_its_last_message() -> None:
    """What was said before is still read."""
    stream = made()
    stream.put(b"a")
    stream.finish(is_lost=True)
    assert stream.after(0) == (1, b"a")
    with pytest.raises(LostError):
        stream.after(1)


def test_of_very_many_messages_the_first_are_forgotten() -> None:
    """By number and by size; the newest, which may be the answer, never is."""
    stream = made(keeps=True)
    for number in range(300):
        stream.put(b"%d" % number)
    assert stream.after(0) == (45, b"44")
    large = b"x" * (module._MOST_BYTES // 2)
    for _ in range(4):
        stream.put(large)
    assert stream.size <= module._MOST_BYTES + len(large)
    stream.put(large * 4)
    assert (all_of(stream))[-1] == large * 4


def test_a_full_storage_takes_from_the_caller_who_fills_it() -> None:
    """From the largest stream that nobody reads, before one that somebody does."""
    dropped: list[tuple[str, int]] = []
    storage = Storage(100, on_drop=lambda caller, size: dropped.append((caller, size)))
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
    assert dropped == [("bob", 10), ("bob", 36)]
    for broken in (left, read):
        with pytest.raises(LostError):
            broken.after(0)
    assert ann.after(0) == (1, b"a" * 30)
    assert bob.after(0) == (1, b"b" * 35)
    ann.put(b"a" * 101)
    assert (ann.size, storage.size) == (0, 35)


def test_a_stream_is_abandoned_when_nobody_has_come_back_for_long() -> None:
    """Not while somebody reads it."""
    stream = made()
    assert not stream.is_abandoned(1000, 60)
    stream.readers, stream.left_at = 0, 900.0
    assert not stream.is_abandoned(959, 60)
    assert stream.is_abandoned(960, 60)
