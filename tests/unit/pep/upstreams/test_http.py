"""Requests to a real upstream over real sockets: what arrives there, and what a broken one comes to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pep.config import Server
from pep.ports import LostError, NeverReachedError, NeverSentCancelledError
from pep.upstreams.http import Upstream
from tests.proxy_rig import Recorder
from tipstaff.common.http_answer import Answer

OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
LINES = [
    (b"host", b"upstream.example"),
    (b"content-type", b"application/json"),
    (b"x-one", b"1"),
    (b"x-one", b"2"),
]


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    client = Upstream(500)
    try:
        yield client
    finally:
        await client.close()


def answering(*parts: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """An answer in parts; the connection closes after it."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


async def ask(client: Upstream, url: str, body: bytes | None = b"{}") -> Answer:
    verb = "GET" if body is None else "POST"
    return await client.send(verb, Server("s", url=url), LINES, body, "ann")


async def body_of(answer: Answer) -> bytes:
    data = b"".join([chunk async for chunk in answer.chunks()])
    answer.close()
    return data


async def test_nothing_is_added_to_a_request() -> None:
    """Its own header lines in their order, its own bytes."""
    async with Recorder().running() as recorder, upstream() as client:
        recorder.answer = answering(OK)
        answer = await ask(client, recorder.url, b'{"a": 1}')
        assert (answer.status, await body_of(answer)) == (200, b"ok")
        ((head, body),) = recorder.requests
        lines = head.strip().split(b"\r\n")
        assert lines[0] == b"POST /mcp HTTP/1.1"
        assert sorted(line.lower() for line in lines[1:]) == [
            b"content-length: 8", b"content-type: application/json", b"host: upstream.example", b"x-one: 1", b"x-one: 2",
        ]  # fmt: skip
        assert body == b'{"a": 1}'


async def test_nothing_is_undone_in_an_answer() -> None:
    """It is not decompressed, no redirect is followed, no cookie is kept."""
    async with Recorder().running() as recorder, upstream() as client:
        head = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: a=1\r\nContent-Encoding: gzip\r\nConnection: close\r\n"
        recorder.answer = answering(head + b"content-length: 3\r\n\r\nraw")
        for _ in range(2):
            answer = await ask(client, recorder.url)
            assert (answer.status, await body_of(answer)) == (302, b"raw")
            assert (b"Set-Cookie", b"a=1") in answer.lines
        assert len(recorder.requests) == 2
        assert all(b"cookie" not in head.lower() for head, _ in recorder.requests)


async def test_a_large_body_arrives_whole() -> None:
    """It is written piece by piece."""
    async with Recorder().running() as recorder, upstream() as client:
        recorder.answer = answering(OK)
        large = b"x" * 1_000_000
        await body_of(await ask(client, recorder.url, large))
        assert recorder.requests[0][1] == large


async def test_where_nobody_listens_a_server_was_never_reached() -> None:
    """So the call can be given back."""
    async with Recorder().running() as recorder:
        url = recorder.url
    async with upstream() as client:
        with pytest.raises(NeverReachedError):
            await ask(client, url)


@pytest.mark.parametrize(
    "parts",
    [(), (b"HTTP/1.1 20",), (b"nonsense\r\n\r\n",), (b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n",)],
)
async def test_a_server_that_does_not_answer_in_http_may_have_seen_the_request(
    parts: tuple[bytes, ...],
) -> None:
    """So the call stays counted; the reason quotes no header line."""
    async with Recorder().running() as recorder, upstream() as client:

        async def answer(writer: asyncio.StreamWriter) -> None:
            await answering(*parts)(writer)
            writer.close()

        recorder.answer = answer
        with pytest.raises(LostError) as caught:
            await ask(client, recorder.url)
        assert "x-one" not in str(caught.value).lower()
        assert len(recorder.requests) == 1


async def test_an_answer_that_breaks_off_is_lost() -> None:
    """What came of it before is handed on."""
    async with Recorder().running() as recorder, upstream() as client:

        async def answer(writer: asyncio.StreamWriter) -> None:
            await answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")(writer)
            writer.close()

        recorder.answer = answer
        answer_begun = await ask(client, recorder.url)
        chunks = answer_begun.chunks()
        assert await anext(chunks) == b"half"
        with pytest.raises(LostError):
            await anext(chunks)
        answer_begun.close()


@pytest.mark.parametrize(("count", "is_lost"), [(16, False), (17, True)])
async def test_only_so_many_answers_may_announce_another(count: int, is_lost: bool) -> None:
    """A server could send them for ever."""
    async with Recorder().running() as recorder, upstream() as client:
        recorder.answer = answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + OK)
        if is_lost:
            with pytest.raises(LostError):
                await ask(client, recorder.url)
        else:
            answer = await ask(client, recorder.url)
            assert (answer.status, await body_of(answer)) == (200, b"ok")


async def test_a_call_that_is_cancelled_before_a_connection_is_there_was_never_sent() -> None:
    """After that the server may have seen it, and its connection is closed."""
    async with Recorder().running() as recorder, upstream() as client:

        async def silence(writer: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        recorder.answer = silence
        early = asyncio.ensure_future(ask(client, recorder.url))
        await asyncio.sleep(0)
        early.cancel()
        with pytest.raises(NeverSentCancelledError):
            await early
        late = asyncio.ensure_future(ask(client, recorder.url))
        await asyncio.wait_for(recorder.begun.wait(), 5)
        recorder.gone.clear()
        late.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await late
        assert not isinstance(caught.value, NeverSentCancelledError)
        await asyncio.wait_for(recorder.gone.wait(), 5)


async def test_an_answer_that_nobody_reads_to_its_end_closes_its_connection() -> None:
    """The server must not go on writing into it."""
    async with Recorder().running() as recorder, upstream() as client:

        async def endless(writer: asyncio.StreamWriter) -> None:
            await answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")(
                writer
            )
            await asyncio.Event().wait()

        recorder.answer = endless
        answer = await ask(client, recorder.url, None)
        chunks = answer.chunks()
        assert await anext(chunks) == b"x"
        recorder.gone.clear()
        answer.close()
        await asyncio.wait_for(recorder.gone.wait(), 5)
