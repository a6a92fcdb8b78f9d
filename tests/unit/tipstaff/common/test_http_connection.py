"""One connection, byte by byte: what counts as an answer, what ends it, and when it may be used again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.common.http_answer import MOST_UNREAD_BYTES, Answer, LostError, UnreadableError
from tipstaff.common.http_connection import MAX_HEAD_BYTES, MOST_INTERIM, MOST_LINES, Connection

HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire:
    """A transport that only remembers."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = self.is_paused = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self) -> None:
        assert self.is_paused
        self.is_paused = False


class Link:
    """A connection and its wire."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.idle: list[Connection] = []
        self.connection = Connection(self.idle.append)
        self.connection.connection_made(self.wire)

    async def ask(self, *parts: bytes, body: bytes = b"") -> Answer:
        """Ask, and let the server send `parts`."""
        asking = asyncio.ensure_future(self.connection.ask(HEAD, body))
        await asyncio.sleep(0)
        for part in parts:
            self.connection.data_received(part)
        return await asking

    async def exchange(self, *parts: bytes, ends: bool = False) -> tuple[int, Any, bytes]:
        """The status, the lines and the body of the answer."""
        asking = asyncio.ensure_future(self.connection.ask(HEAD, b""))
        await asyncio.sleep(0)
        for part in parts:
            self.connection.data_received(part)
        if ends:
            self.connection.connection_lost(None)
        answer = await asking
        return answer.status, answer.lines, await answer.read()


async def test_a_request_is_one_write_and_its_answer_is_whole() -> None:
    """The connection serves again."""
    link = Link()
    answer = await link.ask(OK, body=b"{}")
    assert link.wire.written == HEAD + b"{}"
    assert (answer.status, answer.lines) == (200, ((b"content-length", b"2"),))
    assert await answer.read() == b"ok"
    assert link.idle == [link.connection]
    assert link.connection.is_usable


async def test_answers_to_two_requests_are_kept_apart() -> None:
    """Also when the first is read last."""
    link = Link()
    first = await link.ask(OK)
    second = await link.ask(OK.replace(b"ok", b"no"))
    assert (await first.read(), await second.read()) == (b"ok", b"no")


async def test_an_answer_reaches_its_request_though_another_takes_the_connection_at_once() -> None:
    """Whoever waits for an idle connection may run before the one that has been answered."""
    link = Link()
    first = asyncio.ensure_future(link.connection.ask(HEAD, b""))
    await asyncio.sleep(0)
    link.connection.data_received(OK)
    second = asyncio.ensure_future(link.connection.ask(HEAD, b""))
    second.add_done_callback(lambda _: None)
    assert await (await first).read() == b"ok"
    link.connection.data_received(OK.replace(b"ok", b"no"))
    assert await (await second).read() == b"no"


@pytest.mark.parametrize(
    "parts",
    [
        (OK, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"GET"),
    ],
)
async def test_after_surplus_bytes_or_a_goodbye_a_connection_serves_no_more(
    parts: Sequence[bytes],
) -> None:
    """The answer counts; what stands behind it must not become the answer to another request."""
    link = Link()
    answer = await link.ask(*parts)
    assert await answer.read() == b"ok"
    assert link.wire.is_closed
    assert not link.connection.is_usable


async def test_bytes_that_nothing_asked_for_end_the_connection() -> None:
    """They would become the answer to the next request."""
    link = Link()
    link.connection.data_received(OK)
    assert link.wire.is_closed
    with pytest.raises(LostError):
        await link.ask()


async def test_an_answer_before_the_request_was_sent_counts_and_is_the_last() -> None:
    """The rest of the request would stand before the next one."""
    link = Link()
    link.wire.unsent = 100
    assert await (await link.ask(OK)).read() == b"ok"
    assert link.wire.is_closed


async def test_a_large_request_is_written_on_while_its_answer_begins() -> None:
    """No faster than the server reads."""
    link = Link()
    body = b"x" * 600_000
    answer = await link.ask(OK[:-1], body=body)
    link.connection.pause_writing()
    for _ in range(20):
        await asyncio.sleep(0)
    before = len(link.wire.written)
    assert before < len(body)
    link.connection.resume_writing()
    for _ in range(20):
        await asyncio.sleep(0)
    assert link.wire.written == HEAD + body
    link.connection.data_received(b"k")
    assert await answer.read() == b"ok"
    assert link.connection.is_usable


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * (MAX_HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (MOST_LINES + 1) + b"\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nA: b\x0bc\r\n\r\n1",
    ],
)
async def test_what_is_no_answer_is_lost(sent: bytes) -> None:
    """The reason quotes nothing of what was sent."""
    link = Link()
    with pytest.raises(UnreadableError) as caught:
        await link.exchange(sent, ends=True)
    assert "bbbb" not in str(caught.value)
    assert not link.connection.is_usable


@pytest.mark.parametrize(
    "sent",
    [
        CHUNKED + b"2\r\nok\r\n",
        CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nok0\r\n\r\n",
        CHUNKED + b"2\r\nok\r\n0\r\nX: " + b"y" * (MAX_HEAD_BYTES + 1),
        CHUNKED + b"2;" + b"y" * (MAX_HEAD_BYTES + 1),
        CHUNKED + b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
        OK + b"x",
        OK + OK,
        OK[:-1],
    ],
)
async def test_a_body_that_is_not_complete_is_lost(sent: bytes) -> None:
    """Cut, framed wrongly, or longer than it says."""
    link = Link()
    with pytest.raises(LostError):
        await link.exchange(sent, ends=True)


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """As HTTP/1.0 has it."""
    link = Link()
    answered = await link.exchange(b"HTTP/1.1 200 OK\r\n\r\nhalf", b"-whole", ends=True)
    assert answered == (200, (), b"half-whole")


async def test_answers_that_announce_another_do_not_go_on_for_ever() -> None:
    """A few are read over."""
    early = b"HTTP/1.1 103 Early\r\n\r\n"
    assert (await Link().exchange(early * MOST_INTERIM + OK))[2] == b"ok"
    with pytest.raises(LostError):
        await Link().exchange(early * (MOST_INTERIM + 1) + OK)


async def test_trailers_are_left_out() -> None:
    """Nobody has judged them."""
    link = Link()
    answered = await link.exchange(CHUNKED + b"2\r\nok\r\n0\r\nX-Evil: y\r\n\r\n")
    assert answered == (200, ((b"transfer-encoding", b"chunked"),), b"ok")


async def test_a_body_that_nobody_reads_stops_the_reading() -> None:
    """Until it is read; a closed answer ends the connection."""
    link = Link()
    answer = await link.ask(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n")
    link.connection.data_received(b"x" * (MOST_UNREAD_BYTES + 1))
    assert link.wire.is_paused
    assert len(await anext(answer.chunks())) == MOST_UNREAD_BYTES + 1
    assert not link.wire.is_paused
    answer.close()
    assert link.wire.is_closed


async def test_an_unread_body_that_is_complete_holds_up_no_other_request() -> None:
    """It waits beside the connection."""
    link = Link()
    large = b"x" * (MOST_UNREAD_BYTES + 1)
    first = await link.ask(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(large) + large)
    assert not link.wire.is_paused
    second = await link.ask(OK)
    assert await first.read() == large
    assert await second.read() == b"ok"


async def test_cancelling_a_request_closes_the_connection() -> None:
    """Its answer would be taken for that of another."""
    link = Link()
    asking = asyncio.ensure_future(link.connection.ask(HEAD, b""))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert link.wire.is_closed


async def test_a_request_cancelled_when_answered_leaves_the_connection_to_the_next() -> None:
    """It is no longer its own."""
    link = Link()
    first = asyncio.ensure_future(link.connection.ask(HEAD, b""))
    await asyncio.sleep(0)
    link.connection.data_received(OK)
    first.cancel()
    second = asyncio.ensure_future(link.connection.ask(HEAD, b""))
    with pytest.raises(asyncio.CancelledError):
        await first
    link.connection.data_received(OK.replace(b"ok", b"no"))
    assert await (await second).read() == b"no"


async def test_a_connection_that_was_closed_meanwhile_was_stale() -> None:
    """Its request may be repeated on another one; the first request of a connection may not."""
    link = Link()
    await link.ask(OK)
    with pytest.raises(LostError):
        await link.exchange(ends=True)
    assert link.connection.was_stale
    fresh = Link()
    with pytest.raises(LostError):
        await fresh.exchange(ends=True)
    assert not fresh.connection.was_stale


def by_h11(sent: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
    """The first final answer as h11 reads it, `None` for none; the connection ends after it."""
    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    reader.send(h11.EndOfMessage())
    status, lines, body = 0, [], b""
    try:
        reader.receive_data(sent)
        reader.receive_data(b"")
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Response):
                status, lines = event.status_code, list(event.headers.raw_items())
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, lines, body
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None


NAMES = st.sampled_from([b"A", b"Content-Type", b"x-y", b"Content-Length", b"Transfer-Encoding"])
VALUES = st.sampled_from([b"", b"b", b"2", b"0", b"chunked", b"gzip", b"close", b"2, 2", b"a b"])
BODIES = st.sampled_from([b"", b"ok", b"2\r\nok\r\n0\r\n\r\n", b"0\r\n\r\n", b"3\r\nabc\r\n", b"x"])
STATUS = st.sampled_from([b"200 OK", b"204 No", b"304 Not", b"100 Go", b"500 ", b"200", b"99 x"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Bytes near an answer: right, slightly wrong, or cut and mixed."""
    lines = b"".join(
        b"%b: %b\r\n" % line for line in draw(st.lists(st.tuples(NAMES, VALUES), max_size=3))
    )
    sent = b"HTTP/1.1 %b\r\n%b\r\n%b" % (draw(STATUS), lines, draw(BODIES))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(sent)))
        length = draw(st.integers(0, 2))
        sent = sent[:at] + draw(st.binary(max_size=2)) + sent[at + length :]
    return sent


@given(sent=answers(), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_what_counts_as_an_answer_is_the_same_answer_to_h11(sent: bytes, cuts: list[int]) -> None:
    """However the bytes are cut. A stricter reader may refuse more, but must not read anything else."""
    places = sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})
    parts = [sent[start:end] for start, end in itertools.pairwise(places)]

    async def read() -> tuple[int, Any, bytes] | None:
        try:
            return await Link().exchange(*parts, ends=True)
        except LostError:
            return None

    ours, theirs = asyncio.run(read()), by_h11(sent)
    if ours is None or theirs is None:
        reason = sent.partition(b"\r\n")[0].decode("latin-1")  # it is read by nobody
        assert (
            ours is None or sent[:1] in b"\r\n" or not (reason.isascii() and reason.isprintable())
        )
        return
    status, lines, body = ours
    assert (status, body) == (theirs[0], theirs[2])
    assert [(name.lower(), value) for name, value in lines] == [
        (name.lower(), value) for name, value in theirs[1]
    ]
