"""A large answer is worked on piece by piece, and others work in between."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from functools import cache

import pytest
from msgspec import Struct

from pep.front.relay_io import Client, hand_on
from pep.mcp.headers import HeaderLines

MIB = 1024 * 1024


class Whole(Struct, frozen=True):
    """An answer whose body is there at once."""

    lines: tuple[tuple[bytes, bytes], ...]
    body: bytes
    status: int = 200

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def close(self) -> None:
        """Nothing is open."""


async def turns_of_others(answer: Whole) -> int:
    """How often others can work while the answer is handed on."""
    shown = bytearray()

    async def begin(status: int, lines: HeaderLines) -> None:
        assert status == 200

    async def part(data: bytes) -> None:
        shown.extend(data)

    async def screen(message: bytes) -> bytes:
        return message

    relaying = asyncio.ensure_future(hand_on(answer, screen, Client(begin, part, part, 1), []))
    turns = 0
    while not relaying.done():
        await asyncio.sleep(0)
        turns += 1
    relaying.result()
    assert shown == (answer.body if answer.lines[0][1] == b"application/json" else shown)
    return turns


JSON, EVENTS = (b"content-type", b"application/json"), (b"content-type", b"text/event-stream")
PACKED = (b"content-encoding", b"gzip")


@cache
def text() -> bytes:
    """Some 10 MB of JSON."""
    return b'{"x":"' + b" ".join(b"%d" % (number * number) for number in range(800_000)) + b'"}'


def packed(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


# Made when the test begins, not when tests are collected.
@pytest.mark.parametrize(
    ("lines", "body", "least"),
    [
        ((JSON, PACKED), lambda: packed(b"{" + b" " * (7 * MIB) + b"}"), 25),
        ((JSON,), text, 30),
        ((JSON, PACKED), lambda: packed(text() * 2), 60),
        ((EVENTS, PACKED), lambda: packed(b": x\n" * (2 * MIB)), 25),
        ((EVENTS,), lambda: b"\n\n" * 100_000, 500),
        ((EVENTS,), lambda: b"data: []\n\n" * 50_000, 250),
        ((EVENTS,), lambda: b"data: {}\n\n" * 500_000, 70),
        ((EVENTS,), lambda: b"data: " + text() + b"\n\n", 30),
    ],
    ids=[
        "unpacked",
        "large",
        "large, unpacked",
        "unpacked events",
        "no events",
        "events",
        "plain events",
        "event",
    ],
)
async def test_others_work_between_the_pieces_of_one_answer(
    lines: tuple[tuple[bytes, bytes], ...], body: Callable[[], bytes], least: int
) -> None:
    """However little its server had to send for it."""
    assert await turns_of_others(Whole(lines, body())) >= least
