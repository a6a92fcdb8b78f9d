"""HTTP requests to servers over stdio, children without processes: who reaches which, and when."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from pep.config import Server
from pep.ports import Answer, BusyError, LostError, NeverReachedError
from pep.upstreams import param_headers
from pep.upstreams.conversation import ABANDONED_SECONDS
from pep.upstreams.stdio_http import StdioServers
from tests.gateway import call_headers, tool_call
from tests.scripted_child import Clock, ScriptedChild, notification, request, result, settle

LEGACY = {"accept": "text/event-stream", "mcp-protocol-version": "2025-11-25"}
BEGIN = request("initialize", 1)


class Site:
    """A stdio_servers to the server `s`; `children` are the children it has started."""

    def __init__(self, **options: Any) -> None:
        self.server = Server("s", command=("x",), **options)
        self.clock = Clock()
        self.children: list[ScriptedChild] = []
        self.start: Callable[[], None] = lambda: None
        self.starting = asyncio.Event()
        self.starting.set()
        self.stdio_servers = StdioServers(self.clock, self._start)  # type: ignore[arg-type]

    async def _start(self, server: Server) -> ScriptedChild:
        await self.starting.wait()
        self.start()
        self.children.append(ScriptedChild(len(self.children)))
        return self.children[-1]

    async def send(
        self, body: bytes | None, caller: str = "ann", verb: str = "POST", **headers: str
    ) -> Answer:
        lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]  # fmt: skip
        return await self.stdio_servers.send(verb, self.server, lines, body, caller)

    async def begin(self, caller: str = "ann") -> str:
        answer = await self.send(BEGIN, caller)
        self.children[-1].say(result(1))
        await read(answer)
        return dict(answer.lines)[b"mcp-session-id"].decode()

    async def post(self, body: bytes | None, session: str, caller: str = "ann", **more: str) -> Answer:  # fmt: skip
        return await self.send(body, caller, mcp_session_id=session, **LEGACY | more)

    async def modern(self, message: Any, caller: str = "ann") -> Answer:
        lines = {name.lower(): value for name, value in call_headers("run").items()}
        return await self.send(json.dumps(message).encode(), caller, **lines)


@contextlib.asynccontextmanager
async def site(**options: Any) -> AsyncIterator[Site]:
    one = Site(**options)
    try:
        yield one
    finally:
        await one.stdio_servers.close()
        assert all(child.is_ended for child in one.children)


async def read(answer: Answer) -> bytes:
    body = b"".join([chunk async for chunk in answer.chunks()])
    answer.close()
    return body


async def first(answer: Answer, count: int = 1) -> list[bytes]:
    """The first events; the answer stays open."""
    found = []
    async for chunk in answer.chunks():
        found.append(chunk)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("spelled", ["", "x", "modern ann", "ann", "legacy", "('modern', 'ann')"])
async def test_no_spelling_of_a_session_reaches_the_child_of_anybody(spelled: str) -> None:
    """The pool's keys are values, not text."""
    async with site() as one:
        waiting = asyncio.ensure_future(one.modern({**tool_call("run"), "method": "tools/list"}))
        await settle()
        for caller in ("ann", "bob"):
            for verb, body in (("POST", request("tools/list", 2)), ("GET", None), ("DELETE", None)):
                answer = await one.send(body, caller, verb, mcp_session_id=spelled, **LEGACY)
                assert answer.status == (404 if spelled else 400)
        assert len(one.children[0].written) == 1
        one.children[0].say(result(1))
        await waiting


async def test_a_session_is_bound_to_the_caller_that_began_it() -> None:
    """Another caller finds none, by whatever verb."""
    async with site() as one:
        session = await one.begin("ann")
        for verb, body in (("POST", request("tools/list", 2)), ("GET", None), ("DELETE", None)):
            answer = await one.send(body, "bob", verb, mcp_session_id=session, **LEGACY)
            assert answer.status == 404
        assert len(one.children[0].written) == 1
        assert (await one.post(notification("n"), session)).status == 202


async def test_modern_callers_have_a_child_each_and_their_clients_share_it() -> None:
    """Started once, also when many come at once."""
    async with site() as one:
        message = {**tool_call("run"), "method": "tools/list"}
        waiting = [
            asyncio.ensure_future(one.modern(message, caller))
            for caller in ("ann", "ann", "bob", "ann")
        ]
        await settle()
        assert [len(child.written) for child in one.children] == [3, 1]
        for child in one.children:
            for line in child.heard:
                child.say(result(line["id"], pid=child.pid))
        bodies = [json.loads(await read(await answer)) for answer in waiting]
        assert [body["result"]["pid"] for body in bodies] == [0, 0, 1, 0]
        assert {body["id"] for body in bodies} == {1}


async def test_a_modern_client_answers_nothing_and_does_not_wait_for_it() -> None:
    """There is no request of a server for it."""
    async with site() as one:
        answer = await one.modern({"jsonrpc": "2.0", "id": 1, "result": {}})
        assert answer.status == 400
        assert one.children == []


async def test_a_session_begins_once_and_with_initialize() -> None:
    """Nothing comes before it, and it does not come again."""
    async with site() as one:
        for body in (notification("notifications/initialized"), request("tools/list", 1)):
            assert (await one.send(body, **LEGACY)).status == 400
        session = await one.begin()
        assert (await one.post(BEGIN, session)).status == 400
        assert len(one.children) == 1
        assert (await one.post(b"[]", session)).status == 400


async def test_a_refusal_names_the_request_and_no_id_where_there_is_none() -> None:
    """A client that gets an error without the id waits for its answer until it gives up."""
    async with site() as one:
        for body, named in ((request("tools/list", "a"), {"id": "a"}), (notification("n"), {})):
            refused = json.loads(await read(await one.send(body, **LEGACY)))
            assert refused.pop("error")["code"] == -32600
            assert refused == {"jsonrpc": "2.0", **named}


async def test_a_new_session_ends_the_callers_own_idle_child() -> None:
    """Never more processes than configured: the old one has ended before the new one starts."""
    async with site(max_processes=2) as one:
        mine, _ = await one.begin("ann"), await one.begin("bob")
        one.children[1].ends.clear()
        beginning = asyncio.ensure_future(one.begin("bob"))
        await settle()
        assert len(one.children) == 2
        one.children[1].ends.set()
        await beginning
        assert [child.is_ended for child in one.children] == [False, True, False]
        assert (await one.post(notification("n"), mine)).status == 202


async def test_a_full_pool_is_busy_and_says_so() -> None:
    """Until the calls are abandoned; a deleted session's process counts until it has ended."""
    async with site(max_processes=1) as one:
        session = await one.begin()
        hanging = await one.post(request("tools/call", 2), session)
        with pytest.raises(BusyError, match="all 1 processes that one caller may have are in use"):
            await one.begin()
        with pytest.raises(BusyError, match="all 1 processes are in use"):
            await one.begin("bob")
        hanging.close()
        one.clock.seconds += ABANDONED_SECONDS
        one.children[0].ends.clear()
        other = asyncio.ensure_future(one.begin())
        await settle()
        one.children[0].ends.set()
        session = await other
        one.children[1].ends.clear()
        deleting = asyncio.ensure_future(one.send(None, verb="DELETE", mcp_session_id=session, **LEGACY))  # fmt: skip
        await settle()
        assert (await one.post(notification("n"), session)).status == 404
        with pytest.raises(BusyError):
            await one.begin()
        one.children[1].ends.set()
        assert (await deleting).status == 200
        await one.begin()


async def test_a_slow_start_and_a_stubborn_end_hold_up_nobody_else() -> None:
    """Each waits for its own process alone."""
    async with site() as one:
        session = await one.begin("ann")
        one.children[0].ends.clear()
        deleting = asyncio.ensure_future(one.send(None, verb="DELETE", mcp_session_id=session, **LEGACY))  # fmt: skip
        await settle()
        await one.begin("bob")
        one.starting.clear()
        beginning = asyncio.ensure_future(one.send(BEGIN, "carl"))
        await settle()
        assert not beginning.done()
        one.children[0].ends.set()
        assert (await deleting).status == 200
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        one.starting.set()
        await settle()
        assert [child.is_ended for child in one.children] == [True, False, True]


async def test_a_server_that_cannot_start_is_never_reached() -> None:
    """And takes no place."""
    async with site(max_processes=1) as one:

        def fail() -> None:
            raise NeverReachedError("no such program")

        one.start = fail
        for _ in range(2):
            with pytest.raises(NeverReachedError, match="no such program"):
                await one.begin()
        one.start = lambda: None
        await one.begin()


async def test_a_child_that_crashes_takes_its_session_with_it() -> None:
    """A modern caller gets a new one."""
    async with site() as one:
        session = await one.begin()
        hanging = await one.post(request("tools/call", 2), session)
        one.children[0].crash()
        with pytest.raises(LostError):
            await read(hanging)
        await settle()
        assert (await one.post(request("tools/call", 3), session)).status == 404
        message = {**tool_call("run"), "method": "tools/list"}
        for number in (1, 2):
            waiting = asyncio.ensure_future(one.modern(message))
            await settle()
            one.children[number].crash()
            with pytest.raises(LostError):
                await waiting
            await settle()


async def test_a_child_that_nobody_uses_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from the end of its last call, not from its beginning."""
    monkeypatch.setattr("pep.upstreams.stdio_pool._SWEEP_SECONDS", 0.01)
    async with site(idle_seconds=100) as one:
        sweeping = asyncio.ensure_future(one.stdio_servers.sweep())
        session = await one.begin()
        answer = await one.post(request("tools/call", 2), session)
        one.clock.seconds += 500
        await asyncio.sleep(0.05)
        one.children[0].say(result(2))
        await read(answer)
        await asyncio.sleep(0.05)
        assert not one.children[0].is_ended
        one.clock.seconds += 101
        async with asyncio.timeout(10):  # a busy machine sweeps late
            while not one.children[0].is_ended:
                await asyncio.sleep(0.01)
        assert not sweeping.done()
        sweeping.cancel()


async def test_a_client_comes_back_for_what_it_has_missed() -> None:
    """From the message after the one it saw last; what it names that is none is refused."""
    async with site() as one:
        session = await one.begin()
        answer = await one.post(request("tools/call", 2), session)
        one.children[0].say(notification("a"), notification("b"))
        prime, seen = await first(answer, 2)
        assert prime.startswith(b"id: 2-0\r\n")
        assert b"id: 2-1\r\n" in seen
        answer.close()
        one.children[0].say(result(2))
        for last_event_id in ("2-1", "2-1"):
            again = await one.send(None, verb="GET", mcp_session_id=session, last_event_id=last_event_id, **LEGACY)  # fmt: skip
            assert [b'"b"' in (await first(again, 2))[1], b'"result"' in await read(again)] == [True, True]  # fmt: skip
        for wrong in ("9" * 5000, "2", "2-", "-1", "2-4", "3-0", "1-0", "2-1 ", "\u00b2-1", "2-" + "1" * 20):  # fmt: skip
            refused = await one.send(None, verb="GET", mcp_session_id=session, last_event_id=wrong, **LEGACY)  # fmt: skip
            assert refused.status == 400
            assert b"Last-Event-ID" in await read(refused)


async def test_two_lines_of_one_header_are_refused() -> None:
    """One reader takes the first, another the last."""
    async with site() as one:
        session = await one.begin()
        lines = [(b"mcp-session-id", session.encode()), (b"accept", b"text/event-stream")]
        lines += [(b"last-event-id", b"0-0")] * 2
        answer = await one.stdio_servers.send("GET", one.server, lines, None, "ann")
        assert answer.status == 400


async def test_a_stream_of_its_own_begins_where_the_last_one_ended() -> None:
    """What nobody has seen waits; it is not told twice."""
    async with site() as one:
        session = await one.begin()
        one.children[0].say(notification("a"))
        await settle()
        for number, name in enumerate("ab"):
            listening = await one.send(None, verb="GET", mcp_session_id=session, **LEGACY)
            prime, event = await first(listening, 2)
            assert prime.startswith(b"id: 0-%d\r\n" % number)
            assert b'"%s"' % name.encode() in event
            listening.close()
            listening.close()
            one.children[0].say(notification("b"))
            await settle()
        refused = await one.send(None, verb="GET", mcp_session_id=session)
        assert refused.status == 405


class Listing:
    """Ann's modern child, whose tools are asked for before a call."""

    def __init__(self, one: Site) -> None:
        self.one = one

    async def call(self, region: str | None = "eu", **headers: str) -> asyncio.Future[Answer]:
        lines = {name.lower(): value for name, value in call_headers("run").items()} | headers
        message = tool_call("run")
        message["params"]["arguments"] = {"region": region} if region else None
        body = json.dumps(message).encode()
        waiting = asyncio.ensure_future(self.one.send(body, **lines))
        await settle()
        return waiting

    @property
    def child(self) -> ScriptedChild:
        return self.one.children[0]

    @property
    def asked(self) -> list[Any]:
        return [line for line in self.child.heard if line["method"] == "tools/list"]


TOOL = {
    "name": "run",
    "inputSchema": {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    },
}


async def test_what_is_mirrored_is_asked_for_once_and_only_its_answer_counts() -> None:
    """Not a notification that comes in between; on as many pages as it takes."""
    async with site() as one:
        listing = Listing(one)
        waiting = [await listing.call(mcp_param_region=region) for region in ("eu", "us")]
        (asked,) = listing.asked
        listing.child.say(notification("notifications/message"), notification("p", progressToken=asked["id"]))  # fmt: skip
        listing.child.say(result(asked["id"], tools=[1, {}, {"name": [1]}, TOOL], nextCursor="2"))
        await settle()
        listing.child.say(result(listing.asked[1]["id"], tools=[], nextCursor=None))
        assert (await waiting[1]).status == 400
        assert listing.asked[1]["params"]["cursor"] == "2"
        async with asyncio.timeout(10):
            while not (called := listing.child.called("tools/call")):
                await asyncio.sleep(0.01)
        listing.child.say(result(*called))
        assert (await waiting[0]).status == 200
        again = await listing.call()
        assert (await again).status == 400
        assert len(listing.asked) == 2


async def test_null_arguments_mirror_nothing_and_reach_the_child_as_they_came() -> None:
    """A header line for one of them says what the body does not."""
    async with site() as one:
        listing = Listing(one)
        waiting = [await listing.call(None, **more) for more in ({}, {"mcp_param_region": "eu"})]
        listing.child.say(result(listing.asked[0]["id"], tools=[TOOL]))
        await settle()
        (called,) = [line for line in listing.child.heard if line["method"] == "tools/call"]
        assert called["params"]["arguments"] is None
        listing.child.say(result(called["id"]))
        assert [(await answer).status for answer in waiting] == [200, 400]


@pytest.mark.parametrize(
    "answer",
    [
        {"tools": [], "nextCursor": "more"},
        {"tools": [{"name": "x" * 100, "inputSchema": {}}]},
    ],
)
async def test_a_list_of_tools_without_end_is_given_up(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pages, by bytes, by time; and whoever leaves meanwhile does not end it for the others."""
    monkeypatch.setattr(param_headers, "_SECONDS", 0.2)
    monkeypatch.setattr(param_headers, "_MOST_BYTES", 5000 if "nextCursor" in answer else 50)
    async with site() as one:
        listing = Listing(one)
        gone, waiting = await listing.call(), await listing.call()
        gone.cancel()
        for _ in range(param_headers._MOST_PAGES + 2):
            if waiting.done():
                break
            listing.child.say(result(listing.asked[-1]["id"], **answer))
            await settle()
        with pytest.raises(LostError):
            await waiting
        with pytest.raises(LostError):
            await (await listing.call())
        assert len(listing.asked) <= param_headers._MOST_PAGES + 1
        await settle()


async def test_a_server_without_tools_mirrors_nothing_yet() -> None:
    """Its error is not remembered."""
    async with site() as one:
        listing = Listing(one)
        for number in (1, 2):
            waiting = await listing.call()
            error = {"code": -32601, "message": "no"}
            listing.child.say({"jsonrpc": "2.0", "id": listing.asked[-1]["id"], "error": error})
            await settle()
            assert len(listing.asked) == number
            listing.child.say(result(listing.child.heard[-1]["id"]))
            assert (await waiting).status == 200


async def test_a_session_that_its_client_ends_is_an_ordinary_end() -> None:
    """Whoever listens hears the end, and nothing is logged as if it had gone wrong."""
    async with site() as one:
        session = await one.begin()
        listening = await one.send(None, verb="GET", mcp_session_id=session, **LEGACY)
        hearing = asyncio.ensure_future(read(listening))
        await settle()
        with capture_logs() as lines:
            ended = await one.send(None, verb="DELETE", mcp_session_id=session, **LEGACY)
            assert ended.status == 200
            await settle()
        assert await hearing is not None
    assert [line for line in lines if line["log_level"] != "info"] == []


@pytest.mark.parametrize(("code", "level"), [(0, "info"), (1, "warning"), (-9, "warning")])
async def test_a_server_that_ends_with_exit_code_0_has_come_to_an_ordinary_end(
    code: int, level: str
) -> None:
    """Any other code is told as a warning, with the code."""
    async with site() as one:
        await one.begin()
        with capture_logs() as lines:
            one.children[0].exit_code = code
            one.children[0].crash()
            await settle()
    (line,) = [line for line in lines if line["event"] == "server ended by itself"]
    assert (line["log_level"], line["exit_code"]) == (level, code)


async def test_another_command_serves_new_sessions_and_the_open_ones_keep_their_process() -> None:
    """A modern caller, who has no session, gets the new one with the next request."""
    async with site() as one:
        session = await one.begin()
        message = {**tool_call("run"), "method": "tools/list"}
        asking = asyncio.ensure_future(one.modern(message))
        await settle()
        number = json.loads(one.children[1].written[-1])["id"]
        one.children[1].say(result(number))
        await asking
        one.server = structs.replace(one.server, command=("y",))
        one.stdio_servers.take_over([one.server])
        await settle()
        assert [child.is_ended for child in one.children] == [False, True]
        hanging = await one.post(request("tools/call", 2), session)
        assert hanging.status == 200
        again = asyncio.ensure_future(one.modern(message))
        await settle()
        assert len(one.children) == 3
        one.children[2].crash()
        with pytest.raises(LostError):
            await again
        one.stdio_servers.take_over([])
        await settle()
        assert all(child.is_ended for child in one.children)
