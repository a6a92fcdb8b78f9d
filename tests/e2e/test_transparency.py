"""What the conformance suite does not see: how soon, how large, and with which bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.gateway import Gateway, call_headers, gateway, tool_call
from tests.proxy_rig import Recorder

MIB = 1024 * 1024
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Site:
    """A gateway that allows everything, and a recorder behind it."""

    def __init__(self, gate: Gateway, upstream: Recorder, client: httpx.AsyncClient) -> None:
        self.gate = gate
        self.upstream = upstream
        self.client = client

    def peak(self) -> int:
        """The most memory that the proxy has had, in bytes."""
        (pid,) = [pid for pid, line in self.gate.descendants().items() if "tipstaff pep" in line]
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("transparency")
    rules = {"demo": {"default": "allow"}}
    async with (
        Recorder().running() as upstream,
        gateway(folder, {"demo": upstream.url}, rules) as gate,
        httpx.AsyncClient(timeout=60) as client,
    ):
        yield Site(gate, upstream, client)


async def test_the_first_event_is_there_within_fifty_milliseconds(site: Site) -> None:
    """Of the server's writing it, while the call goes on; the quickest of five counts."""
    written: list[float] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Connection: close\r\n\r\n")
        await asyncio.sleep(0.05)
        written.append(time.monotonic())
        writer.write(b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n')
        await writer.drain()
        await asyncio.sleep(0.3)

    site.upstream.answer = answer
    waited = []
    for _ in range(5):
        body = json.dumps(tool_call("add"))
        async with site.client.stream(
            "POST", site.gate.url("demo"), content=body, headers=call_headers("add")
        ) as response:
            async for _ in response.aiter_raw():
                waited.append(time.monotonic() - written[-1])
                break
    assert min(waited) < 0.05, waited


def json_answer(size: int) -> tuple[bytes, bytes]:
    """A text that gzip makes some twenty times smaller, as it does of tables."""
    block = 1024
    text = b"".join(
        os.urandom(32).hex().encode() + b"x" * (block - 64) for _ in range(size // block)
    )
    body = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"%s"}]}}' % text
    return b"Content-Type: application/json\r\n", body


@pytest.mark.parametrize("form", ["json", "compressed", "one event"])
async def test_a_hundred_megabytes_stream_in_flat_memory(site: Site, form: str) -> None:
    """As one message, which nobody could hold: at most what is inspected is in memory."""
    lines, body = json_answer(100 * MIB)
    if form == "compressed":
        lines, body = lines + b"Content-Encoding: gzip\r\n", gzip.compress(body, 1)
    elif form == "one event":
        lines, body = b"Content-Type: text/event-stream\r\n", b"data: " + body + b"\n\n"
    else:
        lines += b"Content-Length: %d\r\n" % len(body)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + lines + b"\r\n")
        for start in range(0, len(body), MIB):
            writer.write(body[start : start + MIB])
            await writer.drain()
        writer.close()

    site.upstream.answer = answer
    before, size = site.peak(), 0
    async with site.client.stream(
        "POST", site.gate.url("demo"), content=json.dumps(tool_call("add")),
        headers=call_headers("add"),
    ) as response:  # fmt: skip
        async for chunk in response.aiter_raw():
            size += len(chunk)
    assert size == len(body)
    assert site.peak() - before < 48 * MIB


async def test_a_message_too_large_to_judge_is_broken_off_at_a_word_that_matters(
    site: Site,
) -> None:
    """Never a whole one that holds what would have been denied."""
    lines, body = json_answer(20 * MIB)
    body = body.replace(b'"text"}]', b'"text"}],"inputRequests":{}').replace(b"]}}", b'],"inputRequests":{}}}')  # fmt: skip

    async def answer(writer: asyncio.StreamWriter) -> None:
        length = b"Content-Length: %d\r\n" % len(body)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + lines + length + b"\r\n" + body)
        await writer.drain()

    site.upstream.answer = answer
    with pytest.raises(httpx.RemoteProtocolError):
        await site.client.post(
            site.gate.url("demo"), content=json.dumps(tool_call("add")),
            headers=call_headers("add"),
        )  # fmt: skip


async def test_header_lines_pass_both_ways_as_they_are(site: Site) -> None:
    """Repeated, unknown, in their order; and where a client has stopped listening."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-B: 1\r\nX-A: 2\r\nx-b: 3, 4\r\nMcp-Session-Id: s\r\n")
        writer.write(b"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n: hi\n\n")
        writer.close()

    site.upstream.answer = answer
    site.upstream.requests.clear()
    told = [
        ("Accept", "text/event-stream"), ("X-Two", "1"), ("X-One", "a,b"), ("x-two", "2"),
        ("Last-Event-ID", "e-7"), ("Mcp-Session-Id", "s"), ("MCP-Protocol-Version", "2025-11-25"),
        ("Mcp-Param-Region", "=?base64?ZQ==?="), ("traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
    ]  # fmt: skip
    answered = await site.client.get(site.gate.url("demo"), headers=told)
    assert answered.content == b": hi\n\n"
    names = [(name.lower(), value) for name, value in answered.headers.multi_items()]
    assert [one for one in names if one[0].startswith("x-")] == [
        ("x-b", "1"), ("x-a", "2"), ("x-b", "3, 4"),
    ]  # fmt: skip
    assert answered.headers["mcp-session-id"] == "s"
    head = site.upstream.requests[0][0].decode().split("\r\n")
    seen = [tuple(line.split(": ", 1)) for line in head[1:] if line]
    arrived = [(name.lower(), value) for name, value in seen]
    for name, value in told:
        assert (name.lower(), value) in arrived
    assert [value for name, value in arrived if name == "x-two"] == ["1", "2"]


async def test_open_streams_end_with_the_proxy_in_bounded_time(tmp_path: Path) -> None:
    """A stream that nobody ends may hold it up for the grace it has, and no longer."""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n")
        await asyncio.sleep(60)

    async with Recorder().running() as upstream, httpx.AsyncClient(timeout=30) as client:
        upstream.answer = endless
        one = Gateway(tmp_path, {"demo": upstream.url}, pep="shutdown_grace_ms = 1000")
        one.rules("demo", {"default": "allow"})
        await one.start()
        lines = {"Accept": "text/event-stream", "Mcp-Session-Id": "s"}
        async with client.stream("GET", one.url("demo"), headers=lines) as response:
            assert response.status_code == 200
            began = time.monotonic()
            assert await one.stop() == 0
            assert time.monotonic() - began < 6
