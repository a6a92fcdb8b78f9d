"""The answer to a client whose call is held: one event stream, whatever comes of the call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pep.errors import AnswerUnreadable
from pep.front.client_answer import ClientAnswer
from pep.front.held_answer import HeldAnswer
from pep.load.room import Unread

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]


class Wire:
    """What was sent to the client."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answer = HeldAnswer(ClientAnswer(self.send, Unread(1 << 20)))
        self.answer.reply_to = 1

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_whole(self) -> bool:
        return self.messages[-1].get("more_body") is False


async def test_a_call_that_is_not_held_is_answered_as_it_comes() -> None:
    """Status, header lines and bytes."""
    wire = Wire()
    await wire.answer.notify(b"{}")
    await wire.answer.begin(404, JSON)
    await wire.answer.part(b"a\n")
    await wire.answer.last(b"b\n")
    assert wire.messages[0]["status"] == 404
    assert wire.messages[0]["headers"] == JSON
    assert wire.body == b"a\nb\n"


async def test_waiting_begins_the_stream_and_a_body_is_its_last_event() -> None:
    """The line ends of JSON stand between its tokens, and would end the event's line."""
    wire = Wire()
    await wire.answer.comment("held a-1")
    await wire.answer.notify(b'{"method":"n"}')
    assert not wire.answer.has_begun
    await wire.answer.begin(200, JSON)
    await wire.answer.part(b'{\n"id":')
    await wire.answer.last(b"\r\n 1}")
    head, *_ = wire.messages
    assert (head["status"], dict(head["headers"])[b"content-type"]) == (200, b"text/event-stream")
    assert len([message for message in wire.messages if "status" in message]) == 1
    assert wire.body == (
        b': held a-1\n\nevent: message\ndata: {"method":"n"}\n\n'
        b'event: message\ndata: { "id":   1}\n\n'
    )
    assert wire.is_whole


async def test_events_of_the_server_go_on_as_they_are() -> None:
    """Byte for byte."""
    wire = Wire()
    await wire.answer.comment("held")
    await wire.answer.begin(200, EVENTS)
    await wire.answer.part(b"id: 1\ndata: {}\n\n")
    await wire.answer.last(b"")
    assert wire.body == b": held\n\nid: 1\ndata: {}\n\n"


@pytest.mark.parametrize("status", [202, 404, 500])
async def test_an_answer_without_a_body_is_an_error_in_the_stream(status: int) -> None:
    """The status was spent on the stream."""
    wire = Wire()
    await wire.answer.comment("held")
    await wire.answer.begin(status, [])
    await wire.answer.last(b"")
    error = json.loads(wire.body.split(b"data: ")[1])
    assert (error["id"], error["error"]["code"]) == (1, 5021)
    assert str(status) in error["error"]["message"]


async def test_a_coded_answer_cannot_be_an_event() -> None:
    """It was asked for without a coding; nothing of it is shown."""
    wire = Wire()
    await wire.answer.comment("held")
    with pytest.raises(AnswerUnreadable):
        await wire.answer.begin(200, [*JSON, (b"content-encoding", b"gzip")])
    assert not wire.answer.has_begun
