"""A request's body: bounded in bytes and in time, and dropped with its client."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from pep.config import PepConfig
from pep.errors import BodyTooLarge, BodyTooSlow, InvalidRequest
from pep.front.body_reader import ClientGoneError, read_body, unpacked, until_gone
from pep.load.large_work import LARGE_BYTES

LIMIT = 1_000_000
CONFIG = PepConfig(max_body_bytes=LIMIT, body_timeout_ms=100)
PACKED = gzip.compress(b"{}", mtime=0)
GONE = {"type": "http.disconnect"}


def chunk(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


class Client:
    """Sends these events, and then nothing."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)
        self.held: list[int] = []

    async def receive(self) -> dict[str, Any]:
        if self.events:
            return self.events.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def hold(self, size: int) -> None:
        self.held.append(size)

    async def read(self, declared: int = 0, *, is_here: bool = False) -> bytes:
        return await read_body(self.receive, declared, CONFIG, self.hold, is_here=is_here)


@pytest.mark.parametrize("parts", [[b"whole"], [b"wh", b"", b"ole"], [b"whole", b""]])
async def test_a_body_is_whole_when_its_last_part_has_come(parts: list[bytes]) -> None:
    """However it was cut; a small one is held without asking."""
    *first, last = parts
    client = Client(*map(chunk, first), chunk(last, more=False))
    assert await client.read(5) == b"whole"
    assert client.held == []


async def test_a_client_that_leaves_before_the_end_is_gone() -> None:
    """There is nobody to answer."""
    with pytest.raises(ClientGoneError):
        await Client(chunk(b"wh"), GONE).read()


async def test_a_body_that_does_not_come_in_time_is_too_slow() -> None:
    """However little is missing."""
    with pytest.raises(BodyTooSlow):
        await Client(chunk(b"wh")).read()


async def test_a_body_that_is_here_is_bounded_all_the_same() -> None:
    """Only the deadline is left out."""
    assert await Client(chunk(b"whole", more=False)).read(5, is_here=True) == b"whole"
    with pytest.raises(BodyTooLarge):
        await Client(chunk(b"x" * LIMIT), chunk(b"x", more=False)).read(is_here=True)


async def test_a_body_that_says_it_is_far_too_large_is_not_read() -> None:
    """A little too much is read and thrown away, so that the client reads the answer."""
    far = Client(chunk(b"x"))
    with pytest.raises(BodyTooLarge):
        await far.read(2 * LIMIT + 1)
    assert len(far.events) == 1
    near = Client(chunk(b"x" * LIMIT), chunk(b"x", more=False))
    with pytest.raises(BodyTooLarge):
        await near.read(LIMIT + 1)
    assert near.events == []


async def test_a_body_that_never_ends_is_left_after_twice_the_bound() -> None:
    """Whatever it said of its length."""
    endless = Client(*[chunk(b"x" * LIMIT)] * 5)
    with pytest.raises(BodyTooLarge):
        await endless.read()
    assert len(endless.events) == 2


@pytest.mark.parametrize("is_here", [False, True])
@pytest.mark.parametrize("declared", [LARGE_BYTES + 1, 0])
async def test_a_large_body_is_held_once_and_by_what_is_known_of_its_size(
    declared: int, is_here: bool
) -> None:
    """By what it says, before it is read; else by the bound, when it turns out to be large."""
    client = Client(chunk(b"x" * LARGE_BYTES), chunk(b"x"), chunk(b"", more=False))
    assert len(await client.read(declared, is_here=is_here)) == LARGE_BYTES + 1
    assert client.held == [declared or LIMIT]


async def test_the_wait_for_room_is_no_slowness_of_the_client() -> None:
    """Longer than the body may take."""
    client = Client(chunk(b"x" * (LARGE_BYTES + 1)), chunk(b"", more=False))

    async def hold(size: int) -> None:
        await asyncio.sleep(0.2)

    assert len(await read_body(client.receive, 0, CONFIG, hold)) == LARGE_BYTES + 1


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("", b"{}"),
        ("identity", b"{}"),
        ("gzip", PACKED),
        ("deflate", zlib.compress(b"{}")),
    ],
)
def test_a_body_is_unpacked_by_its_coding(coding: str, packed: bytes) -> None:
    """To what the client has packed."""
    assert unpacked(packed, coding, 10) == b"{}"


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", b"{}"),
        ("gzip", PACKED[:-1]),
        ("gzip", PACKED * 2),
        ("gzip", PACKED + b"x"),
        ("gzip", zlib.compress(b"{}")),
        ("deflate", PACKED),
    ],
)
def test_a_body_that_two_would_unpack_differently_is_refused(coding: str, packed: bytes) -> None:
    """Cut short, with more behind it, or in another coding."""
    with pytest.raises(InvalidRequest):
        unpacked(packed, coding, 10)


def test_a_small_body_does_not_become_a_large_one() -> None:
    """The bound is that of the plain body."""
    assert unpacked(gzip.compress(b"x" * 10), "gzip", 10) == b"x" * 10
    with pytest.raises(BodyTooLarge):
        unpacked(gzip.compress(b"x" * 11), "gzip", 10)


async def test_work_is_dropped_the_moment_its_client_leaves() -> None:
    """And nobody else's."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def receive() -> dict[str, Any]:
        await begun.wait()
        return GONE

    await until_gone(receive, work())
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_work_that_ends_before_its_client_leaves_is_done() -> None:
    """What it raises is raised; bytes that nobody waits for are passed over."""

    async def work() -> None:
        await asyncio.sleep(0)
        raise KeyError

    with pytest.raises(KeyError):
        await until_gone(Client(chunk(b"more")).receive, work())


async def test_a_server_that_stops_is_no_client_that_leaves() -> None:
    """Its cancellation goes on."""
    running = asyncio.ensure_future(until_gone(Client().receive, asyncio.sleep(600)))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
