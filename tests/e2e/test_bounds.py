"""What one caller may have under way, held or unread; and what is given back when it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pdp.api.model import Call, Decision, LimitResult, Reason
from pep.config import Server
from pep.judge.decision_client import DecisionClient
from tests.calls import call
from tests.gateway import call_headers, eventually, tool_call
from tests.proxy_rig import Proxy, Recorder, ScriptedService, allow, deny, grpc_service, proxy

LEASE = LimitResult("places", "global", 9, 60, 1, 8, passed=True, algorithm="concurrency")
OTHER = "127.0.0.2"  # another address, and so another anonymous caller
LARGE = "x" * 200_000


def with_lease(one: Call) -> Decision:
    return allow(one.request_id, limits=(LEASE,))


@pytest.fixture
async def upstream() -> AsyncIterator[Recorder]:
    async with Recorder().running() as recorder:
        yield recorder


def client(address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(
        local_address=address, verify=False, limits=httpx.Limits(max_connections=1000)
    )
    return httpx.AsyncClient(timeout=30, transport=transport)


async def post(caller: httpx.AsyncClient, gate: Proxy, argument: Any = 1) -> httpx.Response:
    body = tool_call("read", {"value": argument})
    return await caller.post(gate.url(), json=body, headers=call_headers("read"))


async def until(holds: Any) -> None:
    async def look() -> bool:
        return bool(holds())

    await eventually(look)


async def hang(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def leave(tasks: list[asyncio.Task[httpx.Response]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_caller_with_too_much_under_way_is_told_when_to_come_back(
    upstream: Recorder,
) -> None:
    """Another caller is not; and once something has ended there is room again."""
    upstream.answer = hang
    async with (
        proxy(Server("demo", upstream.url), max_under_way=5) as gate,
        client() as flood,
        client(OTHER) as calm,
    ):
        hanging = [asyncio.ensure_future(post(flood, gate)) for _ in range(5)]
        await until(lambda: len(upstream.requests) == 5)
        refused = await post(flood, gate)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error"]["code"] == 4290
        upstream.answer = upstream.ok
        assert (await post(calm, gate)).status_code == 200
        await leave(hanging)

        async def is_let_in() -> bool:
            return (await post(flood, gate)).status_code == 200

        await eventually(is_let_in)


async def test_large_bodies_of_one_caller_wait_for_each_other_and_hold_up_nobody(
    upstream: Recorder,
) -> None:
    """They wait unread; small calls of the same caller, and large ones of others, pass meanwhile."""
    upstream.answer = hang
    options = {"max_body_bytes": 250_000, "max_held_bytes": 1_000_000, "body_timeout_ms": 1000}
    async with (
        proxy(Server("demo", upstream.url), **options) as gate,
        client() as flood,
        client(OTHER) as calm,
    ):
        hanging = [asyncio.ensure_future(post(flood, gate, LARGE)) for _ in range(4)]
        await until(lambda: len(upstream.requests) == 1)
        upstream.answer = upstream.ok
        assert (await post(flood, gate)).status_code == 200
        assert (await post(calm, gate, LARGE)).status_code == 200
        left = set(hanging)
        while len(left) > 1:  # any of the four may have come first
            refused, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for answer in map(asyncio.Future.result, refused):
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        await asyncio.sleep(0.2)
        assert [each.done() for each in left] == [False]
        await leave(list(left))

        async def is_let_in() -> bool:
            return (await post(flood, gate, LARGE)).status_code == 200

        await eventually(is_let_in)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("packed", ["", "gzip"])
async def test_large_calls_pass_one_by_one_however_they_are_sent(
    upstream: Recorder, is_chunked: bool, packed: str
) -> None:
    """More than fit at a time all get their turn, and the very bytes arrive."""
    body = json.dumps(tool_call("read", {"value": LARGE})).encode()
    sent = gzip.compress(body) if packed else body
    headers = call_headers("read") | ({"Content-Encoding": "gzip"} if packed else {})

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), 50_000):
            yield sent[start : start + 50_000]

    options = {"max_body_bytes": 250_000, "max_held_bytes": 1_000_000}
    async with proxy(Server("demo", upstream.url), **options) as gate, client() as caller:
        answers = await asyncio.gather(
            *(
                caller.post(gate.url(), content=pieces() if is_chunked else sent, headers=headers)
                for _ in range(8)
            )
        )
    assert [answer.status_code for answer in answers] == [200] * 8
    if not is_chunked:
        assert [arrived for _, arrived in upstream.requests] == [sent] * 8


async def test_small_bodies_that_unpack_to_large_ones_take_turns(upstream: Recorder) -> None:
    """What counts is what has to be held; one that unpacks to too much is refused."""
    body = json.dumps(tool_call("read", {"value": "x" * 3_000_000})).encode()
    headers = call_headers("read") | {"Content-Encoding": "gzip"}
    async with proxy(Server("demo", upstream.url)) as gate, client() as caller:
        sent = [gzip.compress(body)] * 6 + [gzip.compress(body * 2)]
        answers = await asyncio.gather(
            *(caller.post(gate.url(), content=one, headers=headers) for one in sent)
        )
    assert [answer.status_code for answer in answers] == [200] * 6 + [413]


async def test_a_client_that_does_not_read_is_cut_off(upstream: Recorder) -> None:
    """The server's answer is closed and the lease is finished, as if the client had left."""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            writer.write(b'data: {"text":"' + b"x" * 100_000 + b'"}\n\n')
            await writer.drain()

    upstream.answer = endless
    async with proxy(Server("demo", upstream.url), write_timeout_ms=300) as gate:
        gate.service.script = with_lease
        async with not_reading(gate):
            await asyncio.wait_for(upstream.gone.wait(), 10)
            await until(lambda: gate.service.finished)
        assert len(gate.service.finished) == 1
        assert not gate.service.refunds


async def test_a_client_that_reads_slowly_but_reads_gets_all_of_it(upstream: Recorder) -> None:
    """Only who reads nothing is cut off."""
    size = 2_000_000

    async def large(writer: asyncio.StreamWriter) -> None:
        body = b'{"jsonrpc":"2.0","id":1,"result":{"text":"' + b"x" * size + b'"}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()

    upstream.answer = large
    async with (
        proxy(Server("demo", upstream.url), write_timeout_ms=400) as gate,
        not_reading(gate) as reader,
    ):
        await reader.readuntil(b"\r\n\r\n")
        seen = 0
        while seen < size:
            seen += len(await reader.read(100_000))
            await asyncio.sleep(0.05)


async def test_an_answer_that_nobody_reads_does_not_stay_when_the_call_has_ended(
    upstream: Recorder,
) -> None:
    """What is left fits into the connection's buffers; the connection goes all the same."""

    async def middling(writer: asyncio.StreamWriter) -> None:
        body = b'{"jsonrpc":"2.0","id":1,"result":{"text":"' + b"x" * 6_000_000 + b'"}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()

    upstream.answer = middling
    async with (
        proxy(Server("demo", upstream.url), write_timeout_ms=300) as gate,
        not_reading(gate) as reader,
    ):
        await asyncio.sleep(2)
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(reader.read(100_000), 5):
                pass
        assert reader.at_eof() or reader.exception() is not None


@contextlib.asynccontextmanager
async def not_reading(gate: Proxy) -> AsyncIterator[asyncio.StreamReader]:
    """A caller that has made a call, and whose socket takes in little."""
    body = json.dumps(tool_call("read")).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in call_headers("read").items())
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", gate.port))
    reader, writer = await asyncio.open_connection(sock=plug, limit=8192)
    head = f"POST /demo/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + lines.encode() + b"\r\n" + body)
    try:
        yield reader
    finally:
        writer.close()


@contextlib.contextmanager
def unreachable() -> Any:
    """An address at which connecting takes for ever: nobody takes the connections in."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/mcp"


async def test_an_allow_is_given_back_when_its_client_leaves_before_it_was_used() -> None:
    """The call has not been made: the server has not seen any of it."""
    with unreachable() as url:
        async with proxy(Server("demo", url)) as gate, client() as caller:
            gate.service.script = with_lease
            calling = asyncio.ensure_future(post(caller, gate))
            await until(lambda: gate.service.calls)
            await asyncio.sleep(0.1)
            await leave([calling])
            await until(lambda: gate.service.refunds)
            await asyncio.sleep(0.1)
            assert gate.service.refunds == [gate.service.calls[0].request_id]
            assert not gate.service.finished


async def test_an_allow_whose_call_is_under_way_is_not_given_back(upstream: Recorder) -> None:
    """The server has seen it; the lease alone ends."""
    upstream.answer = hang
    async with proxy(Server("demo", upstream.url)) as gate, client() as caller:
        gate.service.script = with_lease
        calling = asyncio.ensure_future(post(caller, gate))
        await asyncio.wait_for(upstream.begun.wait(), 10)
        await leave([calling])
        await until(lambda: gate.service.finished)
        assert gate.service.finished == [gate.service.calls[0].request_id]
        assert not gate.service.refunds


@pytest.mark.parametrize("decided", [allow, deny])
async def test_an_allow_that_arrives_as_its_caller_leaves_is_given_back_once(
    decided: Any, tmp_path: Any
) -> None:
    """In the very step of the event loop in which the caller is told, it stops to listen."""
    service, address = ScriptedService(), f"unix:{tmp_path / 'pdp.sock'}"
    service.script = lambda one: decided(one.request_id, limits=(LEASE,))
    async with grpc_service(service, address):
        asking = DecisionClient(address, 2000)
        running = asyncio.ensure_future(asking.run())
        assert await asking.wait_connected(5)
        deciding = asyncio.ensure_future(asking.decide(call("r1")))
        settle = asking._settle

        def settle_and_leave(reply: Any) -> None:
            settle(reply)
            deciding.cancel()

        asking._settle = settle_and_leave  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await deciding
        await asyncio.sleep(0.2)
        assert service.refunds == (["r1"] if decided is allow else [])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asking.close()


async def test_a_flood_of_reports_never_pushes_out_a_refund(tmp_path: Any) -> None:
    """Refunds have places of their own."""
    service, address = ScriptedService(), f"unix:{tmp_path / 'pdp.sock'}"
    async with grpc_service(service, address):
        asking = DecisionClient(address, 2000)
        running = asyncio.ensure_future(asking.run())
        assert await asking.wait_connected(5)
        for number in range(2000):
            asking.report_soon(call(f"r{number}"), Reason("credential_missing", ""))
        for number in range(300):
            asking.refund_soon(allow(f"d{number}", limits=(LEASE,)))
        await until(lambda: len(service.refunds) == 300)
        assert len(service.reports) < 2000
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asking.close()


async def test_a_thousand_header_lines_are_refused(upstream: Recorder) -> None:
    """Each would be looked at several times; nobody needs so many."""
    async with proxy(Server("demo", upstream.url)) as gate, client() as caller:
        headers = call_headers("read") | {f"x-{number}": "1" for number in range(1000)}
        answer = await caller.post(gate.url(), json=tool_call("read"), headers=headers)
        assert answer.status_code == 431
    assert not upstream.requests
