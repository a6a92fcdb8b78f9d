"""What is hidden is in no list, in whatever form the list comes; the rest of it is untouched.

A recorder stands where the server would and gives its answers byte for byte.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.gateway import Gateway, eventually, gateway
from tests.proxy_rig import META, Recorder

RULES = {
    "default": "allow",
    "tools": {"secret": {"action": "hide"}, "delete": {"action": "deny"}},
    "resources": {"file:///private/*": {"action": "hide"}},
    "prompts": {"hush": {"action": "hide"}},
}
TOOLS = (
    b'{"name": "add" , "vendor":1.0}',
    b'{"description":"\\u2028 x","name":"secret"}',
    b'{"name":"delete","inputSchema":{"b":1,"a":2}}',
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Site:
    """A gateway, the recorder behind it, and a client."""

    def __init__(self, gate: Gateway, upstream: Recorder, client: httpx.AsyncClient) -> None:
        self.gate = gate
        self.upstream = upstream
        self.client = client

    def answers(self, body: bytes, media: str = "application/json", *lines: str) -> None:
        """What the server says to whatever comes next."""
        told = [
            f"Content-Type: {media}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *lines,
        ]
        head = "HTTP/1.1 200 OK\r\n" + "".join(f"{line}\r\n" for line in told) + "\r\n"

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(head.encode() + body)

        self.upstream.answer = answer

    async def ask(self, method: str = "tools/list", **lines: str) -> httpx.Response:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META}}
        told = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
            **lines,
        }
        return await self.client.post(self.gate.url("demo"), json=message, headers=told)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("lists")
    async with (
        Recorder().running() as upstream,
        gateway(folder, {"demo": upstream.url}, {"demo": RULES}) as gate,
        httpx.AsyncClient(timeout=10) as client,
    ):
        yield Site(gate, upstream, client)


def listing(*entries: bytes, member: str = "tools", more: bytes = b"") -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"result":{"%s":[%s]%s}}' % (member.encode(), b", ".join(entries), more)  # fmt: skip


def names(message: Any, member: str = "tools", key: str = "name") -> list[str]:
    return [entry[key] for entry in message["result"][member]]


@pytest.mark.parametrize(
    ("method", "member", "key", "entries", "left"),
    [
        ("tools/list", "tools", "name", ["add", "secret", "delete"], ["add", "delete"]),
        ("prompts/list", "prompts", "name", ["hush", "greet"], ["greet"]),
        ("resources/list", "resources", "uri", ["file:///a", "file:///private/a"], ["file:///a"]),
        ("resources/templates/list", "resourceTemplates", "uriTemplate",
         ["file:///private/{id}", "file:///{id}"], ["file:///{id}"]),
    ],
)  # fmt: skip
async def test_every_kind_of_list_comes_without_what_is_hidden(
    site: Site, method: str, member: str, key: str, entries: list[str], left: list[str]
) -> None:
    """What is merely denied stays: the agent may read why when it calls."""
    site.answers(listing(*(json.dumps({key: one}).encode() for one in entries), member=member))
    answer = await site.ask(method)
    assert names(answer.json(), member, key) == left


async def test_kept_entries_and_all_around_them_keep_their_bytes(site: Site) -> None:
    """Spaces, number spelling, order of members, unknown members, the next page's cursor."""
    more = b',"nextCursor":"c 2","x-vendor":{"tools":[{"name":"secret"}]}'
    site.answers(listing(*TOOLS, more=more))
    answer = await site.ask()
    assert answer.content == (
        b'{"jsonrpc":"2.0","id":1,"result":{"tools":['
        + TOOLS[0]
        + b","
        + TOOLS[2]
        + b"]"
        + more
        + b"}}"
    )
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_a_list_with_nothing_to_hide_passes_byte_for_byte(site: Site) -> None:
    """Also a compressed one, as compressed as it came."""
    plain = b" " + listing(TOOLS[0]) + b"\n"
    site.answers(plain)
    assert (await site.ask()).content == plain
    packed = gzip.compress(plain, mtime=7)
    site.answers(packed, "application/json", "Content-Encoding: gzip")
    async with site.client.stream("POST", site.gate.url("demo"), **_request()) as answer:
        assert b"".join([part async for part in answer.aiter_raw()]) == packed


def _request() -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    lines = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    return {"json": message, "headers": lines}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "two members"])
async def test_a_compressed_list_comes_without_what_is_hidden(site: Site, coding: str) -> None:
    """In plain, with its new length."""
    plain = listing(*TOOLS)
    packed = zlib.compress(plain) if coding == "deflate" else gzip.compress(plain)
    if coding == "two members":
        packed = gzip.compress(plain[:20]) + gzip.compress(plain[20:])
    name = "deflate" if coding == "deflate" else "gzip"
    site.answers(packed, "application/json", f"Content-Encoding: {name}")
    answer = await site.ask()
    assert "content-encoding" not in answer.headers
    assert names(answer.json()) == ["add", "delete"]


async def test_the_server_is_asked_only_for_codings_that_can_be_read(site: Site) -> None:
    """And an answer in another one is not handed on."""
    site.answers(listing(*TOOLS))
    site.upstream.requests.clear()
    await site.ask(**{"Accept-Encoding": "br, gzip;q=0.5, zstd, deflate"})
    assert b"accept-encoding: gzip;q=0.5, deflate\r\n" in site.upstream.requests[0][0].lower()
    site.answers(b"\x1b\x00", "application/json", "Content-Encoding: br")
    answer = await site.ask()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, 5021)


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_list_in_an_event_comes_without_what_is_hidden(
    site: Site, end: str, packed: bool
) -> None:
    """The events around it pass as they are."""
    line = end[: len(end) // 2]
    before = f": ping{end}id: 1{line}data: {{}}{end}".encode()
    event = f"id: 2{line}event: message{line}data: ".encode() + listing(*TOOLS) + end.encode()
    body = before + event
    if packed:
        site.answers(gzip.compress(body), "text/event-stream", "Content-Encoding: gzip")
    else:
        site.answers(body, "text/event-stream")
    answer = await site.ask()
    assert answer.content.startswith(before)
    rest = answer.content[len(before) :].split(b"\r\n")
    assert rest[:2] == [b"id: 2", b"event: message"]
    assert names(json.loads(rest[2].removeprefix(b"data: "))) == ["add", "delete"]


async def test_a_compressed_stream_that_turns_to_nonsense_is_a_broken_answer(site: Site) -> None:
    """Its first event has gone; what follows could not be judged."""
    stream = zlib.compressobj(wbits=31)
    begun = stream.compress(b"data: {}\n\n") + stream.flush(zlib.Z_SYNC_FLUSH)
    site.answers(begun + b"\xff" * 64, "text/event-stream", "Content-Encoding: gzip")
    with pytest.raises(httpx.RemoteProtocolError):
        await site.ask()
    site.answers(b"no gzip at all", "application/json", "Content-Encoding: gzip")
    assert (await site.ask()).status_code == 502


async def test_a_modern_list_is_for_its_caller_only_and_not_for_long(site: Site) -> None:
    """A shared cache would show one caller's tools to another, or those of yesterday's rules."""
    site.answers(listing(TOOLS[0], more=b',"ttlMs":3600000,"cacheScope":"public"'))
    result = (await site.ask()).json()["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (60_000, "private")


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"tools":[]},"result":{"tools":[{"name":"secret"}]}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add"}],"Tools":[{"name":"secret"}]}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"\\u0074ools":[{"name":"secret"}],"tools":[{"name":"add"}]}}',
        b'[{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"secret"}]}}]',
        b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add","name":"secret"}]}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"secret"}]}} trailing',
    ],
)
async def test_a_list_that_can_be_read_in_two_ways_is_not_shown(site: Site, body: bytes) -> None:
    """Whatever the server meant by it."""
    site.answers(body)
    answer = await site.ask()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, 5021)
    site.answers(b"data: " + body + b"\n\n", "text/event-stream")
    events = (await site.ask()).text
    assert "secret" not in events
    assert json.loads(events.partition("data: ")[2])["error"]["code"] == 5021


async def test_a_list_that_answers_another_request_is_held_to_the_same(site: Site) -> None:
    """Row 35: a client that waits for two answers may take it for the other's."""
    site.answers(listing(*TOOLS).replace(b'"id":1', b'"id":2'))
    assert names((await site.ask("prompts/list")).json()) == ["add", "delete"]
    two = b"data: " + listing() + b"\n\ndata: " + listing(*TOOLS) + b"\n\n"
    site.answers(two, "text/event-stream")
    assert b"secret" not in (await site.ask("prompts/list")).content


async def test_a_stream_that_a_client_comes_back_to_is_held_to_the_same(site: Site) -> None:
    """Legacy: a list may be told again on GET."""
    body = b"id: 9\ndata: " + listing(*TOOLS) + b"\n\n"
    site.answers(body, "text/event-stream")
    lines = {"Accept": "text/event-stream", "Last-Event-ID": "8", "Mcp-Session-Id": "s"}
    answer = await site.client.get(site.gate.url("demo"), headers=lines)
    assert answer.content.startswith(b"id: 9\r\ndata: ")
    assert b"secret" not in answer.content
    assert b"delete" in answer.content


async def test_what_was_kept_from_the_caller_is_on_record(site: Site) -> None:
    """The list, and each hidden entry."""
    before = len(site.gate.records())
    site.answers(listing(*TOOLS))
    await site.ask()
    told = [
        (one["method"], one["target"], one["phase"], one["effect"]) for one in site.gate.records()
    ]
    assert told[before:] == [
        ("tools/list", "", "call", "allow"),
        ("tools/call", "secret", "list", "deny"),
    ]


async def test_a_list_that_nobody_can_judge_is_not_shown(site: Site) -> None:
    """The decision service dies between the request and the answer."""
    hold = asyncio.Event()
    begun = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        begun.set()
        await hold.wait()
        body = listing(*TOOLS)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)

    site.upstream.answer = slow
    asking = asyncio.ensure_future(site.ask())
    await begun.wait()
    site.gate.kill("tipstaff pdp")
    await asyncio.sleep(0.1)
    hold.set()
    answer = await asking
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 5030)

    async def is_back() -> bool:
        site.answers(listing(*TOOLS))
        return (await site.ask()).status_code == 200

    await eventually(is_back)
