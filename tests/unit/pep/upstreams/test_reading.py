"""Waiting for the next message of a stream."""

from __future__ import annotations

import asyncio

import pytest

from pep.ports import LostError
from pep.upstreams.reading import next_message
from pep.upstreams.stream import Storage, Stream


def made() -> Stream:
    return Stream(1, None, "ann", Storage(), keeps=True)


async def test_whoever_waits_gets_the_message_that_comes() -> None:
    """Every reader of the stream."""
    stream = made()
    waiting = [asyncio.ensure_future(next_message(stream, 0, 5)) for _ in range(2)]
    await asyncio.sleep(0)
    assert len(stream.wakers) == 2
    stream.put(b"a")
    assert await asyncio.gather(*waiting) == [(1, b"a")] * 2
    assert not stream.wakers


async def test_what_is_there_is_not_waited_for() -> None:
    """Nor is the end."""
    stream = made()
    stream.put(b"a")
    assert await next_message(stream, 0, 0) == (1, b"a")
    stream.finish()
    assert await next_message(stream, 1, None) is None


async def test_a_wait_that_is_too_long_or_is_dropped_leaves_nothing_behind() -> None:
    """The stream would keep it for ever."""
    stream = made()
    assert await next_message(stream, 0, 0.01) is None
    waiting = asyncio.ensure_future(next_message(stream, 0, None))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not stream.wakers


async def test_a_stream_that_breaks_off_while_it_is_waited_for_is_lost() -> None:
    """Not ended."""
    stream = made()
    waiting = asyncio.ensure_future(next_message(stream, 0, None))
    await asyncio.sleep(0)
    stream.cut()
    with pytest.raises(LostError):
        await waiting


async def test_what_has_been_read_is_forgotten_before_the_wait() -> None:
    """A silent server would else have it kept for long."""
    stream = made()
    stream.keeps, stream.readers = False, 1
    stream.put(b"a")
    assert await next_message(stream, 0, 0) == (1, b"a")
    assert stream.size == 1
    assert await next_message(stream, 1, 0) is None
    assert stream.size == 0
