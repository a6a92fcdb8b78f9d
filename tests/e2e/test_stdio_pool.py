"""Several callers and one that is hostile, in front of servers that the proxy runs itself.

The children are real processes, the callers differ by the address they come from.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pep.config import Server
from pep.upstreams import child_conversation, conversation
from tests.gateway import call_headers, eventually, tool_call
from tests.pool_child import COMMAND
from tests.proxy_rig import Proxy, proxy

BOTH = "application/json, text/event-stream"
LEGACY = {"Accept": BOTH, "MCP-Protocol-Version": "2025-11-25"}


class Caller:
    """One address of this machine, and what it does."""

    def __init__(self, gate: Proxy, client: httpx.AsyncClient, server: str) -> None:
        self.gate = gate
        self.client = client
        self.server = server

    async def begin(self) -> httpx.Response:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
        return await self.post(
            {"id": 1, "method": "initialize", "params": params}, {"Accept": BOTH}
        )

    async def session(self) -> dict[str, str]:
        """The header lines of a session that has begun."""
        answer = await self.begin()
        assert answer.status_code == 200, answer.text
        return LEGACY | {"Mcp-Session-Id": answer.headers["mcp-session-id"]}

    async def post(
        self, message: Any, headers: dict[str, str], seconds: float = 10
    ) -> httpx.Response:
        content = json.dumps({"jsonrpc": "2.0", **message})
        lines = {"Content-Type": "application/json", **headers}
        url = self.gate.url(self.server)
        return await self.client.post(url, content=content, headers=lines, timeout=seconds)

    async def call(
        self, name: str, session: dict[str, str] | None = None, *, request_id: Any = 5,
        seconds: float = 10, **arguments: Any,
    ) -> httpx.Response:  # fmt: skip
        if session is None:
            message = tool_call(name, arguments, request_id=request_id)
            return await self.post(message, call_headers(name), seconds)
        params = {"name": name, "arguments": arguments}
        return await self.post({"id": request_id, "method": "tools/call", "params": params}, session, seconds)  # fmt: skip

    async def hang(self, session: dict[str, str] | None = None, *, request_id: Any = 7) -> None:
        """Call, wait a little, and leave."""
        with contextlib.suppress(httpx.ReadTimeout):
            await self.call("hang", session, request_id=request_id, seconds=0.4)


@contextlib.asynccontextmanager
async def site(**options: Any) -> AsyncIterator[tuple[Caller, Caller]]:
    """Ann and Bob, who share the server `s`."""
    async with contextlib.AsyncExitStack() as stack:
        gate = await stack.enter_async_context(proxy(Server("s", command=COMMAND, **options)))
        clients = []
        for address in ("127.0.0.1", "127.0.0.2"):
            transport = httpx.AsyncHTTPTransport(local_address=address)
            clients.append(await stack.enter_async_context(httpx.AsyncClient(transport=transport)))
        yield Caller(gate, clients[0], "s"), Caller(gate, clients[1], "s")


def body(answer: httpx.Response) -> Any:
    """The last message of an answer, be it JSON or events."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return answer.json()
    lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1].removeprefix("data: "))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a minute waits for less."""
    monkeypatch.setattr(conversation, "ABANDONED_SECONDS", 1.0)
    monkeypatch.setattr(child_conversation, "_TAKING_SECONDS", 0.5)


async def test_a_session_id_that_reads_like_a_key_of_ours_reaches_nobody() -> None:
    """Whatever is known of how children are kept, another caller's is not found by it."""
    async with site() as (ann, bob):
        mine = body(await ann.call("run"))["result"]["pid"]
        for spelled in ("modern anonymous:127.0.0.1", "anonymous:127.0.0.1", "modern"):
            answer = await bob.call("run", LEGACY | {"Mcp-Session-Id": spelled})
            assert answer.status_code == 404, answer.text
        assert body(await bob.call("run"))["result"]["pid"] != mine


async def test_a_session_is_of_the_caller_that_began_it() -> None:
    """By POST, GET and DELETE."""
    async with site() as (ann, bob):
        session = await ann.session()
        url = bob.gate.url("s")
        assert (await bob.call("run", session)).status_code == 404
        assert (await bob.client.get(url, headers=session)).status_code == 404
        assert (await bob.client.delete(url, headers=session)).status_code == 404
        assert (await ann.call("run", session)).status_code == 200


async def test_a_cancellation_reaches_only_the_request_that_it_names() -> None:
    """By the client's own id, which is another's number; a progress notification likewise."""
    async with site() as (ann, _):
        hanging = asyncio.ensure_future(ann.call("hang", request_id="mine"))

        async def heard() -> list[Any]:
            found: list[Any] = body(await ann.call("heard", request_id="h"))["result"]["heard"]
            return found

        async def number() -> Any:
            calls = [one for one in await heard() if one.get("params", {}).get("name") == "hang"]
            return calls[0]["id"] if calls else None

        async def is_there() -> bool:
            return await number() is not None

        await eventually(is_there)
        own = await number()
        lines = call_headers("") | {"Mcp-Method": "notifications/cancelled"}
        del lines["Mcp-Name"]
        for named in (own, own + 1, str(own), None, [own], 10**30):
            message = {"method": "notifications/cancelled", "params": {"requestId": named}}
            assert (await ann.post(message, lines)).status_code == 202
        progress = {"progressToken": own, "progress": 1}
        message = {"method": "notifications/progress", "params": progress}
        await ann.post(message, lines | {"Mcp-Method": "notifications/progress"})
        assert [one for one in await heard() if "id" not in one] == []
        message = {"method": "notifications/cancelled", "params": {"requestId": "mine"}}
        await ann.post(message, lines)
        told = [one["params"] for one in await heard() if "id" not in one]
        assert told == [{"requestId": own}]
        await hanging


NO_IDS = ("[1]", '{"a":1}', "true", "1.0", "1e0", "null", '"\\ud800"', "9" * 5000, '["a"]')


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_no_single_line_of_a_child_ends_it(era: str) -> None:
    """An id that is no id, a message nested without end, half a message, no message at all."""
    bad = [f'{{"jsonrpc":"2.0","id":{no_id},"result":{{}}}}' for no_id in NO_IDS]
    bad += ['{"jsonrpc":"2.0","result":{}}', '{"id":$ID,"id":77,"result":{"bad":1}}', "{}", "[]", "1", "null",
            '{"id":$ID,"ID":1,"result":{"bad":1}}', '{"method":"x","params":' + "[" * 5000, '{"method":"x","params":[]}',
            '{"id":1,"x":' + '{"a":' * 5000 + "1" + "}" * 5001, "\x00", "\ufeff{}", '{"method":["x"]}', "",
            '{"method":"notifications/progress","params":{"progressToken":[1]}}',
            '{"method":"notifications/progress","params":{"progressToken":{"a":1}}}']  # fmt: skip
    async with site() as (ann, _):
        session = await ann.session() if era == "legacy" else None
        pid = body(await ann.call("run", session, request_id=2))["result"]["pid"]
        answer = await ann.call("run", session, request_id=3, lines=bad)
        assert body(answer)["result"]["pid"] == pid
        assert '"bad"' not in answer.text
        assert body(await ann.call("run", session, request_id=4))["result"]["pid"] == pid


async def test_late_progress_of_one_call_is_not_anothers() -> None:
    """A token that no request under way has; and `true` is not 1."""
    line = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}'  # fmt: skip
    async with site() as (ann, _):
        message = tool_call(
            "run", {"lines": [line % token for token in ("1", "999", "true", '"1"')]}
        )
        message["params"]["_meta"] = {**message["params"]["_meta"], "progressToken": "mine"}
        answer = await ann.post(message, call_headers("run"))
        assert "mine" not in answer.text


async def test_calls_whose_client_has_gone_do_not_fill_the_pool() -> None:
    """After a while their process is as idle as any, and makes room."""
    async with site(max_processes=2) as (ann, _):
        sessions = [await ann.session() for _ in range(2)]
        await asyncio.gather(*(ann.hang(session) for session in sessions))
        assert (await ann.begin()).status_code == 503
        await asyncio.sleep(1.2)
        for _ in range(3):
            await ann.session()


async def test_a_client_that_comes_back_in_time_has_its_call_kept() -> None:
    """A client that reads keeps the process in use, however long the call takes."""
    async with site(max_processes=1) as (ann, _):
        session = await ann.session()
        hanging = asyncio.ensure_future(ann.call("hang", session))
        await asyncio.sleep(1.3)
        assert (await ann.begin()).status_code == 503
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_a_cancelled_legacy_call_is_over() -> None:
    """A server does not answer it (MCP, cancellation): the stream ends, and the process is idle."""
    async with site(max_processes=1) as (ann, _):
        session = await ann.session()
        hanging = asyncio.ensure_future(ann.call("hang", session, request_id=9))
        await asyncio.sleep(0.3)
        message = {"method": "notifications/cancelled", "params": {"requestId": 9}}
        assert (await ann.post(message, session)).status_code == 202
        assert "result" not in (await asyncio.wait_for(hanging, 5)).text
        await ann.session()


async def test_no_caller_ends_the_idle_process_of_another_that_has_its_share() -> None:
    """Session after session ends the caller's own; who has too many gives way to who has none."""
    async with site(max_processes=2) as (ann, bob):
        theirs = [await bob.session() for _ in range(2)]
        session = await ann.session()
        statuses = [(await bob.call("run", one)).status_code for one in theirs]
        assert statuses == [404, 200]
        for _ in range(4):
            await bob.session()
        assert (await ann.call("run", session)).status_code == 200


async def test_one_caller_cannot_have_every_process() -> None:
    """Not even by calls that hang while it waits; and is told so."""
    async with site(max_processes=4) as (ann, bob):
        hanging = []
        for _ in range(3):
            session = await bob.session()
            hanging.append(asyncio.ensure_future(bob.call("hang", session)))
        await asyncio.sleep(0.2)
        refused = await bob.begin()
        assert refused.status_code == 503
        assert "all 3 processes that one caller may have" in refused.json()["error"]["message"]
        assert (await ann.begin()).status_code == 200
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


@pytest.mark.parametrize(
    "event_id", ["9" * 5000, "\u00b2-1", "1", "-", "", "0-999999", "77-0", "1-" + "1" * 400, "0-0,0-0"]
)  # fmt: skip
async def test_a_last_event_id_that_is_none_is_refused(event_id: str) -> None:
    """At once, with the reason."""
    async with site() as (ann, _):
        session = await ann.session()
        lines = [(name.encode(), value.encode()) for name, value in session.items()]
        lines.append((b"Last-Event-ID", event_id.encode()))
        answer = await ann.client.get(ann.gate.url("s"), headers=lines, timeout=5)
        assert answer.status_code == 400, answer.text
        assert "Last-Event-ID" in answer.json()["error"]["message"]


async def test_a_session_begins_once() -> None:
    """`initialize` within a session would change the ground under what is under way."""
    async with site() as (ann, _):
        session = await ann.session()
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip
        again = await ann.post({"id": 2, "method": "initialize", "params": params}, session)
        assert (again.status_code, again.json()["error"]["code"]) == (400, -32600)


async def test_a_child_that_reads_nothing_holds_up_nobody_else() -> None:
    """Its own callers are told after a while, and it holds no more than a line of theirs."""
    async with site() as (ann, bob):
        session = await bob.session()
        deaf = asyncio.ensure_future(bob.call("deaf", session, request_id=2))
        await asyncio.sleep(0.2)
        large = "x" * 200_000
        calls = [
            bob.call("run", session, request_id=number, seconds=4, text=large)
            for number in range(10, 20)
        ]
        answers = asyncio.gather(*calls, return_exceptions=True)
        began = time.monotonic()
        assert (await ann.call("run")).status_code == 200
        assert time.monotonic() - began < 2
        refused = [one.text for one in await answers if isinstance(one, httpx.Response)]
        assert len(refused) >= 8
        assert all("does not read what it is sent" in text for text in refused), refused
        deaf.cancel()
        await asyncio.gather(deaf, return_exceptions=True)


async def test_a_child_that_writes_without_end_holds_up_nobody_else() -> None:
    """Nonsense, as fast as it can."""
    async with site() as (ann, bob):
        await ann.call("run")
        flooding = asyncio.ensure_future(bob.call("flood", seconds=60))
        await asyncio.sleep(0.5)
        took = []
        for number in range(20):
            began = time.monotonic()
            assert (await ann.call("run", request_id=number)).status_code == 200
            took.append(time.monotonic() - began)
        assert max(took) < 1, took
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def test_a_stubborn_child_that_ends_holds_up_no_start() -> None:
    """One that heeds nothing takes seconds to end."""
    async with site() as (ann, bob):
        session = await bob.session()
        deaf = asyncio.ensure_future(bob.call("deaf", session, request_id=2))
        await asyncio.sleep(0.3)
        url = bob.gate.url("s")
        ending = asyncio.ensure_future(bob.client.delete(url, headers=session, timeout=20))
        began = time.monotonic()
        assert (await ann.call("run")).status_code == 200
        assert time.monotonic() - began < 2
        await asyncio.gather(deaf, ending, return_exceptions=True)
