"""The path of a message through the proxy: the judged bytes and nothing else arrive, as they came.

The decision service speaks the real contract, but its answers are scripted; the upstream keeps the
very bytes it gets.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import uvicorn
from msgspec import structs

from pdp.api.model import Call, Decision, LimitResult, Obligation
from pep.config import Server
from pep.errors import StartError
from tests.gateway import call_headers, eventually, tool_call
from tests.proxy_rig import Proxy, Recorder, allow, asgi_upstream, deny, free_port, proxy

LIMIT = LimitResult(
    name="l", scope="session", max=1, window=60, cost=1, remaining=0, passed=True, retry_after_ms=0
)


@pytest.fixture
async def upstream() -> AsyncIterator[Recorder]:
    async with Recorder().running() as one:
        yield one


@pytest.fixture
async def gate(upstream: Recorder) -> AsyncIterator[Proxy]:
    async with proxy(Server("demo", upstream.url)) as one:
        yield one


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, verify=False) as one:
        yield one


async def post(
    client: httpx.AsyncClient, gate: Proxy, body: bytes | None = None, **headers: str
) -> httpx.Response:
    content = json.dumps(tool_call("add")).encode() if body is None else body
    lines = call_headers("add") | {name.replace("_", "-"): one for name, one in headers.items()}
    return await client.post(gate.url(), content=content, headers=lines)


async def raw(gate: Proxy, data: bytes) -> bytes:
    """What the proxy says to bytes that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(data)
    try:
        async with asyncio.timeout(5):
            return await reader.read(65536)
    finally:
        writer.close()


async def test_the_very_bytes_that_were_judged_arrive(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """Spacing, escapes and number spelling are the client's own."""
    spelled = b' {"id" : "7","jsonrpc":"2.0", "method":"tools/call","params":{"name":"add",'
    spelled += b'"arguments":{ "n":1.0,"t":"\\u00e9\xc3\xa9", "big":12345678901234567890},"_meta":'
    spelled += json.dumps(tool_call("add")["params"]["_meta"]).encode() + b"}}\n"
    answer = await post(client, gate, spelled)
    assert answer.status_code == 200
    assert upstream.requests[0][1] == spelled
    judged = gate.service.calls[0].arguments
    assert judged == b'{ "n":1.0,"t":"\\u00e9\xc3\xa9", "big":12345678901234567890}'


async def test_the_upstream_sees_its_own_host_and_no_credentials(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """What was given to the proxy stays there; unknown headers go on; hop-by-hop ones do not."""
    await post(
        client, gate, Authorization="Bearer t", Cookie="c=1", X_Custom="kept",
        Tipstaff_Session="key", Keep_Alive="5", TE="trailers",
    )  # fmt: skip
    head = upstream.requests[0][0].decode().lower()
    assert f"host: 127.0.0.1:{upstream.port}\r\n" in head
    assert "x-custom: kept" in head
    for absent in ("authorization", "cookie", "tipstaff-session", "keep-alive:", "te:"):
        assert f"\r\n{absent}" not in head
    assert gate.service.calls[0].session.id == "key"


async def test_authorization_goes_on_where_the_configuration_says_so(
    client: httpx.AsyncClient, upstream: Recorder
) -> None:
    """Per server, and cookies still stay."""
    async with proxy(Server("demo", upstream.url, auth="passthrough")) as gate:
        await post(client, gate, Authorization="Bearer t", Cookie="c=1")
    head = upstream.requests[0][0].decode()
    assert "Bearer t" in head
    assert "c=1" not in head


async def test_nothing_goes_on_that_a_server_reads_as_our_credential(
    client: httpx.AsyncClient, upstream: Recorder
) -> None:
    """Behind CGI and its like `X_Api_Key` overwrites `X-Api-Key`, and so does `X.Api.Key`."""
    async with proxy(Server("demo", upstream.url, headers={"X-Api-Key": "ours"})) as gate:
        headers = {**call_headers("add"), "X_Api_Key": "theirs", "x.api.key": "theirs"}
        await client.post(gate.url(), json=tool_call("add"), headers=headers)
    head = upstream.requests[0][0].decode().lower()
    assert "theirs" not in head
    assert "x-api-key: ours\r\n" in head


@pytest.mark.parametrize("path", ["/demo/mcp", "/demo/mcp/"])
async def test_both_spellings_of_the_path_lead_to_the_server(
    client: httpx.AsyncClient, gate: Proxy, path: str
) -> None:
    """With and without the slash at the end; without a redirect."""
    url = f"http://127.0.0.1:{gate.port}{path}"
    answer = await client.post(url, json=tool_call("add"), headers=call_headers("add"))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/demo", "/demo/mcp/x", "/other/mcp", "/demo//mcp", "/DEMO/mcp"]
)
async def test_every_other_path_leads_nowhere(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder, path: str
) -> None:
    """404, and nothing arrives."""
    url = f"http://127.0.0.1:{gate.port}{path}"
    answer = await client.post(url, json=tool_call("add"), headers=call_headers("add"))
    assert answer.status_code == 404
    assert not upstream.requests


async def test_a_denied_call_is_a_result_that_says_why_and_never_arrives(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """Design section 10: the model reads the reason, programs read `_meta`."""
    gate.service.script = lambda one: deny("d1", message="Not on Sundays")
    answer = await post(client, gate)
    result = answer.json()["result"]
    assert answer.status_code == 200
    assert result["isError"]
    assert (
        (result["content"][0]["text"])
        == "Policy violation: Not on Sundays. Retrying will not help. (decision d1)"
    )
    assert result["_meta"]["tipstaff/decision"]["code"] == "denied_by_rule"
    assert not upstream.requests


async def test_a_server_may_have_its_denials_as_errors(
    client: httpx.AsyncClient, upstream: Recorder
) -> None:
    """`denial = "error"`: a JSON-RPC error with a code of our own."""
    async with proxy(Server("demo", upstream.url, denial="error")) as gate:
        gate.service.script = lambda one: deny("d1", "rate_limited", retry_after_ms=1500)
        answer = await post(client, gate)
    error = answer.json()["error"]
    assert (error["code"], error["data"]["reason_code"]) == (4290, "rate_limited")
    assert answer.headers["retry-after"] == "2"


async def test_an_allow_with_an_unknown_obligation_is_no_allow(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """What it took is given back."""

    def script(one: Call) -> Decision:
        return allow("d1", obligations=(Obligation("redact", b"{}"),), limits=(LIMIT,))

    gate.service.script = script
    answer = await post(client, gate)
    assert answer.json()["result"]["_meta"]["tipstaff/decision"]["code"] == "unknown_obligation"
    assert not upstream.requests
    await asyncio.sleep(0.1)
    assert gate.service.refunds == ["d1"]


async def test_without_an_answer_in_time_the_call_is_refused(
    client: httpx.AsyncClient, upstream: Recorder
) -> None:
    """503 when the deadline passes."""
    async with proxy(Server("demo", upstream.url), decision_timeout_ms=100) as gate:
        gate.service.script = lambda one: None
        answer = await post(client, gate)
    assert answer.status_code == 503
    assert not upstream.requests


async def test_without_a_decision_service_the_proxy_starts_and_refuses(
    client: httpx.AsyncClient, upstream: Recorder
) -> None:
    """It says at `/healthz` that it is not ready."""
    async with proxy(Server("demo", upstream.url), with_service=False) as gate:
        assert (await post(client, gate)).status_code == 503
        health = await client.get(f"http://127.0.0.1:{gate.port}/healthz")
        assert (health.status_code, health.json()["ready"]) == (503, False)
        assert health.json()["code"] == "decision_service_unreachable"
    assert not upstream.requests


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Encoding": "br"}, 415),
        ({"Mcp-Name": "other"}, 400),
        ({"Mcp-Method": "tools/list"}, 400),
        ({"MCP-Protocol-Version": "2025-11-25"}, 400),
        ({"Mcp-Name": "=?base64?YWRk!?="}, 400),
    ],
    ids=str,
)
async def test_headers_that_do_not_fit_are_refused(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder, header: dict[str, str], status: int
) -> None:
    """Each with the status of its fault; nothing is judged, nothing arrives."""
    answer = await client.post(
        gate.url(), content=json.dumps(tool_call("add")), headers=call_headers("add") | header
    )
    assert answer.status_code == status
    assert "error" in answer.json()
    assert not upstream.requests
    assert not gate.service.calls


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"[1]", b'"x"', b"\xff", b"\xef\xbb\xbf{}",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","Method":"x","params":{"name":"add"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","Arguments":{}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":[]}}',
    ],
)  # fmt: skip
async def test_a_body_that_two_parsers_could_read_differently_is_refused(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder, body: bytes
) -> None:
    """In the legacy era, where no header repeats what the body says."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = await client.post(gate.url(), content=body, headers=headers)
    assert "error" in answer.json()
    assert not upstream.requests
    assert not gate.service.calls


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: 2\r\nHost: 127.0.0.1:1\r\n",
        b"Content-Length: 2\r\nMcp-Method: ping\r\nMcp-Method: tools/call\r\n",
        b"Content-Length: 2\r\nMcp_Method: ping\r\n",
        b"Content-Length: 2\r\nConnection: mcp-method\r\n",
    ],
)
async def test_ambiguous_framing_and_repeated_headers_are_refused(
    gate: Proxy, upstream: Recorder, lines: bytes
) -> None:
    """Request smuggling begins with a message that ends in two places."""
    head = b"POST /demo/mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Type: application/json\r\n"
    answer = await raw(gate, head + lines + b"\r\n{}")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not upstream.requests


async def test_a_body_that_is_too_large_is_refused(
    client: httpx.AsyncClient, upstream: Recorder
) -> None:
    """413, whether its length was declared or not."""
    async with proxy(Server("demo", upstream.url), max_body_bytes=1000) as gate:

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * 100

        declared = await client.post(gate.url(), content=b" " * 1001, headers=call_headers("add"))
        chunked = await client.post(gate.url(), content=pieces(), headers=call_headers("add"))
    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert not upstream.requests


async def test_a_body_that_never_ends_is_given_up(upstream: Recorder) -> None:
    """408 after the configured time."""
    async with proxy(Server("demo", upstream.url), body_timeout_ms=200) as gate:
        head = b"POST /demo/mcp HTTP/1.1\r\nHost: localhost:1\r\nContent-Type: application/json\r\n"
        answer = await raw(gate, head + b"Content-Length: 10\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_events_are_handed_on_as_they_come(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """The first event is at the client long before the second is written."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for event in (b'data: {"n":1}\n\n', b'data: {"n":2}\n\n'):
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(0.5)
        writer.write(b"0\r\n\r\n")

    upstream.answer = answer
    body = json.dumps(tool_call("add")).encode()
    async with client.stream(
        "POST", gate.url(), content=body, headers=call_headers("add")
    ) as response:
        assert response.headers["content-type"] == "text/event-stream"
        came = [(time.monotonic(), chunk) async for chunk in response.aiter_raw()]
    assert b"".join(chunk for _, chunk in came) == b'data: {"n":1}\n\ndata: {"n":2}\n\n'
    assert came[1][0] - came[0][0] > 0.3


async def test_a_compressed_answer_passes_untouched(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """The bytes, the length and the encoding are the server's."""
    packed = gzip.compress(b'{"jsonrpc":"2.0","id":1,"result":{}}')

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
        writer.write(head + b"X-One: 1\r\nX-One: 2\r\nContent-Length: %d\r\n\r\n" % len(packed))
        writer.write(packed)

    upstream.answer = answer
    body = json.dumps(tool_call("add")).encode()
    async with client.stream(
        "POST", gate.url(), content=body, headers=call_headers("add")
    ) as response:
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == packed
    assert response.headers.get_list("x-one") == ["1", "2"]


@pytest.mark.parametrize("moment", ["before the headers", "in the middle of the answer"])
async def test_when_the_client_leaves_the_upstream_is_told_at_once(
    gate: Proxy, upstream: Recorder, moment: str
) -> None:
    """Closing the connection is how a modern client cancels a call."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        if moment != "before the headers":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
            await writer.drain()
        await asyncio.sleep(30)

    upstream.answer = answer
    body = json.dumps(tool_call("add")).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in call_headers("add").items())
    _, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(b"POST /demo/mcp HTTP/1.1\r\nHost: localhost:1\r\n" + lines.encode())
    writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    await asyncio.wait_for(upstream.begun.wait(), 5)
    await asyncio.sleep(0.1)
    writer.close()
    left = time.monotonic()
    await asyncio.wait_for(upstream.gone.wait(), 5)
    assert time.monotonic() - left < 1


async def test_an_upstream_that_breaks_off_in_the_middle_of_a_message_is_an_error(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """Nothing of it has gone on yet; the budget is kept, because the call was made."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    upstream.answer = answer
    reply = await post(client, gate)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, 5020)
    assert not gate.service.refunds


async def test_a_stream_of_events_that_breaks_off_leaves_a_broken_answer(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """Never a short one that looks whole."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n8\r\n: begun\n\r\n")
        await writer.drain()
        writer.close()

    upstream.answer = answer
    with pytest.raises(httpx.RemoteProtocolError):
        await post(client, gate)


async def test_redirects_of_the_upstream_are_not_followed(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """The judged call goes where the configuration says, or nowhere; the status says so."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
        )

    upstream.answer = answer
    assert (await post(client, gate)).status_code == 307
    assert len(upstream.requests) == 1


async def test_fifty_megabytes_pass(
    client: httpx.AsyncClient, gate: Proxy, upstream: Recorder
) -> None:
    """As they come; nothing holds the whole."""
    piece, count, begin, end = b"x" * 65536, 800, b'{"result":{"x":"', b'"}}'
    length = len(begin) + len(piece) * count + len(end)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (length, begin))
        for _ in range(count):
            writer.write(piece)
            await writer.drain()
        writer.write(end)

    upstream.answer = answer
    body, size = json.dumps(tool_call("add")).encode(), 0
    async with client.stream(
        "POST", gate.url(), content=body, headers=call_headers("add")
    ) as response:
        async for chunk in response.aiter_raw():
            size += len(chunk)
    assert size == length


async def test_the_streams_and_the_end_of_a_legacy_session_pass(client: httpx.AsyncClient) -> None:
    """GET and DELETE with a session's id reach the server; the modern era has neither."""
    seen: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        seen.append((scope["method"], headers.get(b"mcp-session-id", b"").decode()))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with asgi_upstream(app) as url, proxy(Server("demo", url)) as gate:
        legacy = {"Mcp-Session-Id": "s1", "MCP-Protocol-Version": "2025-11-25"}
        for verb in ("GET", "DELETE"):
            assert (await client.request(verb, gate.url(), headers=legacy)).status_code == 204
            modern = {"MCP-Protocol-Version": "2026-07-28"}
            assert (await client.request(verb, gate.url(), headers=modern)).status_code == 405
        assert (await client.put(gate.url(), content=b"x")).status_code == 405
    assert seen == [("GET", "s1"), ("DELETE", "s1")]


async def test_a_port_in_use_is_a_clear_error(upstream: Recorder, gate: Proxy) -> None:
    """It says which, and what to do."""
    with pytest.raises(StartError, match=r"the port is in use\. Stop what listens"):
        async with proxy(Server("demo", upstream.url), listen=f"127.0.0.1:{gate.port}"):
            pass


async def test_an_answer_tells_what_is_left_of_the_budgets(
    gate: Proxy, client: httpx.AsyncClient
) -> None:
    """Beside the upstream's own lines, and nothing else."""
    gate.service.script = lambda one: allow(one.request_id, limits=(LIMIT,))
    answer = await post(client, gate)
    assert answer.headers["ratelimit"] == '"l";r=0'
    assert answer.headers["ratelimit-policy"] == '"l";q=1;w=60'
    added = set(answer.headers) - {"content-type", "content-length"}
    assert added == {"ratelimit", "ratelimit-policy"}


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, briefly."""

    async def look() -> bool:
        return holds()

    await eventually(look, 5)


async def test_the_end_of_a_call_is_told_once_and_only_where_it_matters(
    gate: Proxy, client: httpx.AsyncClient
) -> None:
    """A refund is not followed by the end of a call that never was."""
    lease = structs.replace(LIMIT, algorithm="concurrency")
    gate.service.script = lambda one: allow("held", limits=(LIMIT, lease))
    await post(client, gate)
    await until(lambda: gate.service.finished == ["held"])
    assert gate.service.refunds == []
    async with proxy(Server("demo", "http://127.0.0.1:9/mcp")) as dead:
        dead.service.script = lambda one: allow("lost", limits=(lease,))
        await post(client, dead)
        await until(lambda: dead.service.refunds == ["lost"])
        assert dead.service.finished == []


async def test_the_proxy_listens_and_reaches_servers_over_ipv6(client: httpx.AsyncClient) -> None:
    """Both by address."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        host = b'{"host":"%s"}' % dict(scope["headers"])[b"host"]
        lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(host))]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": host})

    port, server_port = free_port(), free_port()
    config = uvicorn.Config(app, host="::1", port=server_port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.ensure_future(server.serve())
    async with proxy(Server("demo", f"http://[::1]:{server_port}/mcp"), listen=f"[::1]:{port}"):
        answer = await client.post(
            f"http://[::1]:{port}/demo/mcp", json=tool_call("add"), headers=call_headers("add")
        )
    server.should_exit = True
    await serving
    assert (answer.status_code, answer.json()) == (200, {"host": f"[::1]:{server_port}"})
