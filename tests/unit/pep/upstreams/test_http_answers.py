"""HTTP answers made of what a child says: one JSON message, or events as they come."""

from __future__ import annotations

import json

import pytest

from pep.errors import MethodNotFound, SessionNotFound
from pep.mcp.jsonrpc import NO_REPLY
from pep.ports import LostError
from pep.upstreams import http_answers
from pep.upstreams.http_answers import EventAnswer, WholeAnswer, head_status, refused
from pep.upstreams.stream import Storage, Stream


class Leaving:
    """A conversation that counts who leaves."""

    def __init__(self) -> None:
        self.left: list[Stream] = []

    def leave(self, stream: Stream) -> None:
        self.left.append(stream)


def stream(*messages: bytes, is_done: bool = True) -> Stream:
    made = Stream(7, None, "ann", Storage(), keeps=True)
    made.readers = 1
    for message in messages:
        made.put(message)
    if is_done:
        made.finish()
    return made


def answer(of: Stream, leaving: Leaving | None = None, **more: object) -> EventAnswer:
    return EventAnswer(leaving or Leaving(), of, ((b"mcp-session-id", b"abc"),), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b'{"id":1,"result":{}}', 200),
        (b'{"id":1,"error":{"code":-32601}}', 404),
        (b'{"id":1,"error":{"code":-32602}}', 400),
        (b'{"id":1,"error":{"code":-32603}}', 200),
        (b'{"id":1,"error":{}}', 200),
        (b'{"id":1,"error":{"code":"x"}}', 200),
        (b"noise", 200),
    ],
)
def test_errors_that_the_protocol_defines_have_its_statuses(message: bytes, status: int) -> None:
    """Of what a server may say besides, none is invented."""
    assert head_status(message) == status


async def test_a_whole_answer_is_one_json_message() -> None:
    """With its length."""
    whole = WholeAnswer.of(404, b"{}")
    assert (whole.status, dict(whole.lines)) == (
        404, {b"content-type": b"application/json", b"content-length": b"2"},
    )  # fmt: skip
    assert [chunk async for chunk in whole.chunks()] == [b"{}"]
    assert [chunk async for chunk in WholeAnswer(202, (), b"").chunks()] == []
    whole.close()


async def test_a_refusal_names_the_request_and_a_notification_gets_none() -> None:
    """As over HTTP."""
    told = refused(7, SessionNotFound("Session not found"))
    assert (told.status, json.loads(told.body)["id"]) == (404, 7)
    assert refused(NO_REPLY, MethodNotFound("x")).status == 202


async def test_events_come_in_order_until_the_stream_is_done() -> None:
    """From the first that the client has not seen."""
    events = answer(stream(b"1", b"2", b"3"), seen=1)
    assert dict(events.lines)[b"content-type"] == b"text/event-stream"
    assert dict(events.lines)[b"mcp-session-id"] == b"abc"
    assert [chunk async for chunk in events.chunks()] == [
        b"event: message\r\ndata: 2\r\n\r\n",
        b"event: message\r\ndata: 3\r\n\r\n",
    ]


async def test_a_client_that_may_come_back_is_told_how() -> None:
    """Before anything else, and with each event (MCP 2025-11-25)."""
    chunks = [chunk async for chunk in answer(stream(b"1"), primes=True).chunks()]
    assert chunks == [
        b"id: 7-0\r\nretry: 100\r\ndata: \r\n\r\n",
        b"event: message\r\nid: 7-1\r\ndata: 1\r\n\r\n",
    ]


async def test_a_silent_child_lets_the_connection_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies on the way close one on which nothing comes."""
    monkeypatch.setattr(http_answers, "_PING_SECONDS", 0.01)
    silent = stream(is_done=False)
    chunks = answer(silent).chunks()
    assert [await anext(chunks) for _ in range(2)] == [b": ping\r\n\r\n"] * 2
    silent.put(b"1")
    assert b"data: 1" in await anext(chunks)


@pytest.mark.parametrize("primes", [True, False])
async def test_only_a_client_that_may_come_back_is_sent_away(
    monkeypatch: pytest.MonkeyPatch, primes: bool
) -> None:
    """After so much silence; another's answer would be lost."""
    monkeypatch.setattr(http_answers, "_PING_SECONDS", 0.01)
    chunks = answer(stream(is_done=False), primes=primes, poll_seconds=0.01).chunks()
    if primes:
        assert [chunk[:4] async for chunk in chunks] == [b"id: "]
    else:
        assert await anext(chunks) == b": ping\r\n\r\n"


async def test_a_stream_that_breaks_off_is_lost() -> None:
    """Its answer must not look whole."""
    broken = stream(b"1", is_done=False)
    broken.finish(is_lost=True)
    chunks = answer(broken).chunks()
    assert b"data: 1" in await anext(chunks)
    with pytest.raises(LostError):
        await anext(chunks)


def test_a_reader_leaves_once() -> None:
    """However often its answer is closed."""
    leaving, of = Leaving(), stream(b"1")
    events = answer(of, leaving)
    events.close()
    events.close()
    assert leaving.left == [of]
