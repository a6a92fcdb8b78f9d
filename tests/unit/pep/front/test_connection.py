"""Client connections over real sockets: bounded header lines, deadlines, and clients that do not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from pep.callers.authentication import CERTIFICATE_KEY
from pep.front.connection import with_timeouts
from pep.front.request_body import IS_HERE

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n"


class Site:
    """A listener whose application answers with `body`, and keeps what it was asked."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.body = b"ok"
        self.gate = asyncio.Event()
        self.gate.set()
        self.cut = asyncio.Event()
        self.port = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        gone = asyncio.ensure_future(self._gone(receive))
        await self.gate.wait()
        length = (b"content-length", b"%d" % len(self.body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        try:
            for start in range(0, len(self.body), 65536):
                piece = self.body[start : start + 65536]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()

    async def _gone(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.cut.set()

    async def talk(self, *parts: bytes, seconds: float = 3) -> bytes:
        """What is answered until the connection is closed, or nothing comes any more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = b""
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(seconds):
                while chunk := await reader.read(65536):
                    data += chunk
                    if data.endswith(b"ok"):
                        break
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        return data


@contextlib.asynccontextmanager
async def site(head: float = 5, write: float = 5) -> AsyncIterator[Site]:
    one = Site()
    config = uvicorn.Config(
        one, http=with_timeouts(head=head, write=write), log_config=None, lifespan="off", ws="none",
        interface="asgi3", timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    listener = socket.create_server(("127.0.0.1", 0))
    one.port = listener.getsockname()[1]
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield one
    finally:
        one.gate.set()
        server.should_exit = True
        await serving
        listener.close()


async def test_a_request_reaches_the_application_with_who_has_connected() -> None:
    """Nobody, without a certificate."""
    async with site() as one:
        assert (await one.talk(GET + b"\r\n")).startswith(b"HTTP/1.1 200")
        (scope,) = one.scopes
        assert scope[CERTIFICATE_KEY] == ""
        assert scope["headers"] == [(b"host", b"a")]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"x: " + b"a" * 65_000 + b"\r\n", 200),
        (b"x: " + b"a" * 66_000 + b"\r\n", 431),
        (b"".join(b"x%d: 1\r\n" % number for number in range(199)), 200),
        (b"".join(b"x%d: 1\r\n" % number for number in range(200)), 431),
    ],
)
async def test_header_lines_have_a_size_and_a_number(lines: bytes, status: int) -> None:
    """Beyond it the client is told, and the connection ends."""
    async with site() as one:
        answer = await one.talk(GET + lines + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 %d" % status)
        assert len(one.scopes) == (status == 200)
        assert (b"connection: close" in answer) is (status != 200)


async def test_what_is_no_http_is_refused_as_json() -> None:
    """As everything that the proxy says."""
    async with site() as one:
        answer = await one.talk(b"nonsense\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400")
        assert b'"jsonrpc"' in answer


@pytest.mark.parametrize("begun", [b"", b"\r\n\r\n", GET, GET + b"x: "])
async def test_header_lines_that_do_not_come_are_not_waited_for(begun: bytes) -> None:
    """From the first moment of the connection on."""
    async with site(head=0.1) as one:
        began = time.monotonic()
        assert (await one.talk(begun)).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 2


async def test_a_second_request_has_its_own_deadline_and_does_not_cut_the_first() -> None:
    """Its lines may wait behind an answer that takes long."""
    async with site(head=0.1) as one:
        one.gate.clear()
        talking = asyncio.ensure_future(one.talk(GET + b"\r\n", GET))
        await asyncio.sleep(0.4)
        assert not talking.done()
        one.gate.set()
        assert (await talking).startswith(b"HTTP/1.1 200")


async def test_trailers_of_a_chunked_body_are_no_header_lines() -> None:
    """They come after the lines were checked."""
    async with site() as one:
        post = b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = await one.talk(
            post, b"2\r\n{}\r\n0\r\nauthorization: x\r\nmcp-session-id: y\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200")
        assert [name for name, _ in one.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


async def slow_reader(one: Site, buffer: int = 4096) -> socket.socket:
    """A client that asks for much and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", one.port))
    await loop.sock_sendall(client, GET + b"\r\n")
    return client


async def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    """So that the server's answer is closed."""
    async with site(write=0.1) as one:
        one.body = b"x" * 20_000_000
        client = await slow_reader(one)
        await asyncio.wait_for(one.cut.wait(), 5)
        client.close()


async def test_a_client_that_reads_slowly_but_reads_gets_all() -> None:
    """Its deadline begins anew with what it has read."""
    async with site(write=0.3) as one:
        one.body = b"x" * 3_000_000
        client, loop = await slow_reader(one, 262_144), asyncio.get_running_loop()
        data = b""
        while not data.endswith(b"x" * 100) or len(data) < 3_000_000:
            chunk = await loop.sock_recv(client, 150_000)
            assert chunk
            data += chunk
            await asyncio.sleep(0.02)
        client.close()


async def test_the_application_knows_whether_the_body_has_arrived() -> None:
    """All of it, in one piece with its head; not one of which a byte is missing, nor that of the request before."""
    async with site() as there:
        head = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n"
        await there.talk(head + b"ab" + head + b"a", seconds=0.5)
        await there.talk(head, seconds=0.5)
    assert [IS_HERE in scope for scope in there.scopes] == [True, False, False]
