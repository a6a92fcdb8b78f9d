"""A client answers what its server has asked of it, once, and nothing that it was not shown.

The server is raw: it writes down every body it gets, and says what the test wants it to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pdp.api.model import Call, Decision
from pep.config import Server
from tests.pool_child import COMMAND
from tests.proxy_rig import Proxy, allow, asgi_upstream, deny, proxy

BOTH = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
LEGACY = BOTH | {"MCP-Protocol-Version": "2025-11-25"}


def ask(request_id: Any, method: str = "elicitation/create") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {}}


def withdraw(request_id: Any) -> dict[str, Any]:
    params = {"requestId": request_id}
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}


class Asking:
    """An MCP endpoint that asks on every stream what `asks` says, then answers."""

    def __init__(self) -> None:
        self.asks: list[Any] = []
        self.answers: list[Any] = []
        self.sessions = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", scope["method"] == "POST"
        while more:
            part = await receive()
            body, more = body + part["body"], part["more_body"]
        message = json.loads(body or b"{}")
        if "result" in message or "error" in message:
            self.answers.append(message)
            await self.answer(send, 202, [], b"")
            return
        lines = [(b"content-type", b"text/event-stream")]
        if message.get("method") == "initialize":
            self.sessions += 1
            lines.append((b"mcp-session-id", b"s%d" % self.sessions))
        said = [*self.asks]
        if "id" in message:
            said.append({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        data = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in said)
        await self.answer(send, 200, lines, data)

    async def answer(self, send: Any, status: int, lines: Any, body: bytes) -> None:
        lines = [*lines, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})


class Site:
    """The proxy, the server behind it, and a client from an address."""

    def __init__(self, gate: Proxy, server: Asking) -> None:
        self.gate = gate
        self.server = server

    async def send(
        self, message: Any, session: str = "", *, address: str = "127.0.0.1", verb: str = "POST",
        name: str = "s", **headers: str,
    ) -> httpx.Response:  # fmt: skip
        lines = LEGACY | ({"Mcp-Session-Id": session} if session else {}) | headers
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(transport=transport, timeout=10) as client:
            return await client.request(verb, self.gate.url(name), json=message, headers=lines)

    async def begin(self, name: str = "s", address: str = "127.0.0.1") -> str:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        answer = await self.send(message, name=name, address=address)
        return answer.headers["mcp-session-id"]

    async def listen(self, session: str = "", *asks: Any, **headers: str) -> str:
        """What the server asks, on its own stream."""
        self.server.asks = list(asks)
        async with httpx.AsyncClient(timeout=10) as client:
            lines = {"Accept": "text/event-stream"} | headers
            lines |= {"Mcp-Session-Id": session} if session else {}
            return (await client.get(self.gate.url("s"), headers=lines)).text

    async def answer(self, request_id: Any, session: str = "", **more: Any) -> int:
        """The status of a client's answer."""
        message = {"jsonrpc": "2.0", "id": request_id, "result": {"action": "accept"}}
        answer = await self.send(message, session, **more)
        if answer.status_code != 202:
            assert answer.json()["error"]["code"] == -32600
            assert "id" not in answer.json()
        return answer.status_code

    async def call(self, session: str, name: str = "x", **arguments: Any) -> httpx.Response:
        params = {"name": name, "arguments": arguments}
        return await self.send({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params}, session, name="child")  # fmt: skip


def judge(call: Call) -> Decision:
    return deny("d") if call.method == "sampling/createMessage" else allow(call.request_id)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    server = Asking()
    async with (
        asgi_upstream(server) as url,
        proxy(Server("s", url), Server("child", command=COMMAND)) as gate,
    ):
        gate.service.script = judge
        yield Site(gate, server)


async def test_what_policy_refused_cannot_be_answered_in_a_loop(site: Site) -> None:
    """The server waits for our refusal; nineteen of twenty forged answers were faster once."""
    session = await site.begin()
    listening = asyncio.ensure_future(
        site.listen(session, ask(7, "sampling/createMessage"), ask(8, "ping"))
    )
    statuses = [await site.answer(7, session) for _ in range(20)]
    assert "sampling" not in await listening
    statuses += [await site.answer(7, session) for _ in range(5)]
    assert set(statuses) == {400}
    assert all("error" in answer for answer in site.server.answers)
    assert await site.answer(8, session) == 202


async def test_a_request_is_answered_once_and_by_its_own_id(site: Site) -> None:
    """Also one that passes unjudged; 1 and "1" are two, and an error is an answer, too."""
    session = await site.begin()
    await site.listen(session, ask(1), ask("2"), ask(3, "ping"), ask(10**30), ask("x" * 500))
    for wrong in ("1", 2, 4, "3", 10**31, "x" * 499):
        assert await site.answer(wrong, session) == 400
    for right in (1, "2", 3, 10**30, "x" * 500):
        assert await site.answer(right, session) == 202
        assert await site.answer(right, session) == 400
    assert [one["id"] for one in site.server.answers] == [1, "2", 3, 10**30, "x" * 500]
    await site.listen(session, ask(6))
    error = {"jsonrpc": "2.0", "id": 6, "error": {"code": -1, "message": "no"}}
    statuses = [(await site.send(error, session)).status_code for _ in range(2)]
    assert statuses == [202, 400]


async def test_an_answer_is_for_the_session_and_the_caller_that_were_asked(site: Site) -> None:
    """Another session's, another caller's, another server's request is not theirs to answer."""
    first, second = await site.begin(), await site.begin()
    await site.listen(first, ask(1))
    assert await site.answer(1, second) == 400
    assert await site.answer(1) == 400
    elsewhere = await site.send({"jsonrpc": "2.0", "id": 1, "result": {}}, first, address="127.0.0.2")  # fmt: skip
    assert elsewhere.status_code == 404
    child = await site.begin("child")
    assert await site.answer(1, child, name="child") == 400
    assert await site.answer(1, first) == 202


async def test_a_request_that_is_shown_again_on_resumption_counts_once(site: Site) -> None:
    """Before and after its answer; on a new stream the same id is a new request."""
    session = await site.begin()
    await site.listen(session, ask(1))
    resumed = {"Last-Event-ID": "e"}
    await site.listen(session, ask(1), **resumed)
    assert await site.answer(1, session) == 202
    assert await site.answer(1, session) == 400
    await site.listen(session, ask(1), **resumed)
    assert await site.answer(1, session) == 400
    await site.listen(session, ask(1))
    assert await site.answer(1, session) == 202


async def test_what_the_server_cancels_or_ends_is_not_answered_any_more(site: Site) -> None:
    """One request, then the whole session."""
    session = await site.begin()
    await site.listen(session, ask(1), ask(2), withdraw(1), withdraw([2]), withdraw(True))
    assert await site.answer(1, session) == 400
    await site.listen(session, ask(3))
    site.server.asks = []
    assert (await site.send(None, session, verb="DELETE")).status_code < 300
    assert await site.answer(2, session) == 400
    assert await site.answer(3, session) == 400


async def test_without_a_session_the_caller_is_asked_and_answers(site: Site) -> None:
    """As with servers that give out no session."""
    await site.listen("", ask(1))
    assert await site.answer(1, address="127.0.0.2") == 400
    assert await site.answer(1) == 202
    assert await site.answer(1) == 400


async def test_an_answer_that_never_arrived_may_be_given_again() -> None:
    """The server is away: it has not seen the answer, and the request still waits for one."""
    server, upstream = Asking(), contextlib.AsyncExitStack()
    url = await upstream.enter_async_context(asgi_upstream(server))
    async with proxy(Server("s", url)) as gate:
        site = Site(gate, server)
        session = await site.begin()
        await site.listen(session, ask(1))
        await upstream.aclose()
        message = {"jsonrpc": "2.0", "id": 1, "result": {}}
        statuses = [(await site.send(message, session)).status_code for _ in range(2)]
        assert statuses == [502, 502]


async def test_a_server_over_stdio_gets_no_forged_answer_either(site: Site) -> None:
    """What it asked and was denied, what it never asked, and one answer too many."""
    session = await site.begin("child")
    lines = [json.dumps(ask(1)), json.dumps(ask(2, "sampling/createMessage"))]
    shown = (await site.call(session, lines=lines)).text
    assert "elicitation/create" in shown
    assert "sampling" not in shown
    statuses = [await site.answer(number, session, name="child") for number in (1, 1, 2, 3)]
    assert statuses == [202, 400, 400, 400]
    heard = (await site.call(session, "heard")).text
    data = next(line for line in heard.splitlines() if '"heard"' in line)
    answers = [
        one for one in json.loads(data.removeprefix("data: "))["result"]["heard"]
        if "method" not in one
    ]  # fmt: skip
    assert [(one["id"], "result" in one) for one in answers if one["id"] == 1] == [(1, True)]
    assert [(one["id"], "error" in one) for one in answers if one["id"] == 2] == [(2, True)]
    assert len(answers) == 2
    with contextlib.suppress(httpx.HTTPError):
        await site.send(None, session, verb="DELETE", name="child")
