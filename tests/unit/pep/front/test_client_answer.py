"""The answer to one client, in pieces that the client can take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pep.front.client_answer import PIECE, ClientAnswer
from pep.load.room import Unread
from pep.ports import LostError


class Client:
    """Takes what it is sent, as fast as the gate lets it."""

    def __init__(self, unread: Unread | None = None, caller: str = "ann") -> None:
        self.events: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.answer = ClientAnswer(self.send, unread or Unread(10 * PIECE))
        self.answer.caller = caller

    async def send(self, event: dict[str, Any]) -> None:
        await self.gate.wait()
        self.events.append(event)

    @property
    def body(self) -> bytes:
        return b"".join(event["body"] for event in self.events if "body" in event)


async def test_an_answer_begins_with_status_and_lines_and_ends_with_its_last_part() -> None:
    """Nothing has begun before that."""
    client = Client()
    assert not client.answer.has_begun
    await client.answer.begin(200, [(b"a", b"1")])
    assert client.answer.has_begun
    await client.answer.part(b"one")
    await client.answer.last(b"two")
    assert client.events == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1")]},
        {"type": "http.response.body", "body": b"one", "more_body": True},
        {"type": "http.response.body", "body": b"two", "more_body": False},
    ]


@pytest.mark.parametrize("part", ["part", "last"])
async def test_much_at_once_is_written_piece_by_piece(part: str) -> None:
    """A connection takes in all that it is given."""
    client, data = Client(), b"x" * (3 * PIECE + 1)
    await getattr(client.answer, part)(data)
    assert client.body == data
    assert max(len(event["body"]) for event in client.events) == PIECE
    assert [event["more_body"] for event in client.events][-1] is (part == "part")


async def test_a_client_that_does_not_read_gives_way_when_too_much_waits() -> None:
    """Its answer is broken off; that of a client that reads goes on."""
    unread = Unread(5 * PIECE)
    slow, fast = Client(unread), Client(unread, "bob")
    slow.gate.clear()
    writing = asyncio.ensure_future(slow.answer.part(b"x" * 4 * PIECE))
    await asyncio.sleep(0)
    await fast.answer.part(b"y" * 2 * PIECE)
    with pytest.raises(LostError):
        await writing
    assert fast.body == b"y" * 2 * PIECE
