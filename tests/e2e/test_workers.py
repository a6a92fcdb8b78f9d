"""Three proxies on one port: whichever a client's connection comes to, all is as with one.

Every request has a connection of its own, so that the kernel spreads them; what is repeated often enough
has met every worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.certificates import Authority
from tests.gateway import Gateway, call_headers, eventually, make_token, tool_call
from tests.pool_child import COMMAND
from tests.proxy_rig import asgi_upstream
from tests.stdio_servers import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORKERS = 3
# With so many connections it is one in a million that a worker gets none.
OFTEN = 36
LEGACY = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
RULES = {
    "default": "allow",
    "tools": {
        "scarce": {"rate_limit": {"max": 5, "window": 600}},
        "held": {"action": "require_approval"},
    },
    "initialize": {"max": 1000, "window": 60},
}
BEGIN = {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
}  # fmt: skip


class Keeper:
    """An ASGI server with sessions, tasks, slow tools and questions of its own."""

    def __init__(self) -> None:
        self.begun = 0
        self.tasks = 0
        self.calls: Counter[str] = Counter()
        self.go = asyncio.Event()
        self.answers: list[Any] = []
        self.answered = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = json.loads((await receive()).get("body") or b"{}")
        lines = [(b"content-type", b"application/json")]
        if scope["method"] == "DELETE":
            await _send(send, 204, [], b"")
            return
        if "method" not in message:
            self.answers.append(message.get("id"))
            self.answered.set()
            await _send(send, 202, lines, b"")
            return
        name = message.get("params", {}).get("name", message["method"])
        self.calls[name] += 1
        result: dict[str, Any] = {"content": [], "resultType": "complete"}
        if name == "initialize":
            self.begun += 1
            lines.append((b"mcp-session-id", b"session-%d" % self.begun))
        if name == "run":
            self.tasks += 1
            result = {"task": {"taskId": f"t{self.tasks}", "status": "working"}}
        if name == "wait":
            await self.go.wait()
        whole = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        if name == "ask":
            await self._ask(send, message["params"]["arguments"]["id"], whole)
        else:
            await _send(send, 200, lines, json.dumps(whole).encode())

    async def _ask(self, send: Any, question: Any, whole: Any) -> None:
        """Ask the client first, on the stream of its call."""
        self.answered.clear()
        params = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
        asked = {"jsonrpc": "2.0", "id": question, "method": "elicitation/create", "params": params}
        lines = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        for event, more in ((asked, True), (whole, False)):
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            await send({"type": "http.response.body", "body": data, "more_body": more})
            if more:
                await self.answered.wait()


async def _send(send: Any, status: int, lines: Any, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*lines, length]})
    await send({"type": "http.response.body", "body": body})


class Site:
    """The gateway, the server behind it, and clients whose every request has a connection of its own."""

    def __init__(
        self, gate: Gateway, keeper: Keeper, tokens: dict[str, str], client: httpx.AsyncClient
    ) -> None:
        self.gate = gate
        self.keeper = keeper
        self.tokens = tokens
        self.client = client

    async def post(
        self, message: Any, who: str = "ann", server: str = "s", **lines: str
    ) -> httpx.Response:
        headers = {"Content-Type": "application/json", **LEGACY, **lines}
        headers |= {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        content = json.dumps({"jsonrpc": "2.0", **message})
        return await self.client.post(self.gate.url(server), content=content, headers=headers)

    async def begin(self, who: str = "ann", server: str = "s") -> dict[str, str]:
        """The header line of a session that has begun."""
        begun = await self.post({"id": 0, "method": "initialize", "params": BEGIN}, who, server)
        assert begun.status_code == 200, begun.text
        return {"Mcp-Session-Id": begun.headers["mcp-session-id"]}

    async def call(
        self, tool: str, who: str = "ann", server: str = "s", request_id: Any = 1, arguments: Any = None,
        **lines: str,
    ) -> httpx.Response:  # fmt: skip
        params = {"name": tool, "arguments": arguments or {}}
        message = {"id": request_id, "method": "tools/call", "params": params}
        return await self.post(message, who, server, **lines)

    def workers(self) -> list[int]:
        return [pid for pid, line in self.gate.descendants().items() if "--worker" in line]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    keeper = Keeper()
    async with asgi_upstream(keeper) as url:
        child = {"command": COMMAND, "environment": {"PYTHONPATH": str(ROOT)}}
        rounds = {"url": url, "hold_seconds": 1, "approval_rounds": 2}
        limits = httpx.Limits(max_keepalive_connections=0)
        gate = Gateway(
            tmp_path_factory.mktemp("workers"),
            {
                "open": url,
                "rounds": rounds,
                "child": child,
                "s": {"url": url, "accept": ("token",)},
            },
        )
        gate.options = ("--workers", str(WORKERS))
        for server in ("s", "open", "rounds", "child"):
            gate.rules(server, RULES)
        tokens = {name: make_token(gate, "create", name) for name in ("ann", "bob")}
        await gate.start()
        try:
            async with httpx.AsyncClient(timeout=20, limits=limits) as client:
                yield Site(gate, keeper, tokens, client)
        finally:
            await gate.stop()


async def often(work: Callable[[int], Any], times: int = OFTEN) -> list[Any]:
    """What comes of doing it so often at once."""
    return list(await asyncio.gather(*(work(number) for number in range(times))))


async def test_all_workers_serve(site: Site) -> None:
    """Each has had work to do."""
    assert len(site.workers()) == WORKERS
    before = {pid: _ticks(pid) for pid in site.workers()}

    async def have_all_worked() -> bool:
        answers = await often(lambda n: site.call("x", request_id=n))
        assert {answer.status_code for answer in answers} == {200}
        return all(_ticks(pid) > before[pid] for pid in before)

    await eventually(have_all_worked, 20)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_a_session_is_its_callers_on_every_connection(site: Site) -> None:
    """Its calls are counted together, and another caller never gets in."""
    line = await site.begin()
    for who, status in (("ann", 200), ("bob", 404)):
        answers = await often(lambda n, who=who: site.call("y", who, request_id=n, **line))
        assert Counter(answer.status_code for answer in answers) == {status: OFTEN}
    kinds = {(each["session"]["kind"], each["session"]["id"]) for each in site.gate.judged()
             if each["target"] == "y" and each["effect"] == "allow"}  # fmt: skip
    assert len(kinds) == 1
    assert kinds.pop()[0] == "legacy"


async def test_a_session_that_has_ended_has_ended_on_every_connection(site: Site) -> None:
    """The worker that keeps it forgets it."""
    line = await site.begin()
    assert (await site.call("z", **line)).status_code == 200
    lines = {**LEGACY, **line, "Authorization": f"Bearer {site.tokens['ann']}"}
    assert (await site.client.delete(site.gate.url("s"), headers=lines)).status_code == 204
    answers = await often(lambda n: site.call("z", request_id=n, **line))
    assert {answer.status_code for answer in answers} == {404}


async def test_two_requests_with_one_id_are_never_under_way_in_one_session(site: Site) -> None:
    """However many connections they come on."""
    line, keeper = await site.begin(), site.keeper
    keeper.go.clear()
    before = keeper.calls["wait"]
    first = asyncio.ensure_future(site.call("wait", request_id=7, **line))

    async def waits() -> bool:
        return keeper.calls["wait"] > before

    await eventually(waits)
    others = await often(lambda _: site.call("wait", request_id=7, **line))
    assert Counter(answer.status_code for answer in others) == {400: OFTEN}
    keeper.go.set()
    assert (await first).status_code == 200
    assert keeper.calls["wait"] == before + 1


@pytest.mark.parametrize("has_session", [True, False])
async def test_a_servers_question_is_answered_once_on_any_connection(
    site: Site, has_session: bool
) -> None:
    """By the client that was shown it, in its session or, where there is none, anywhere."""
    line = await site.begin() if has_session else {}
    for number in range(6):
        question = f"q{number}"
        calling = asyncio.ensure_future(
            site.call("ask", request_id=1, arguments={"id": question}, **line)
        )
        answer = {"id": question, "result": {"action": "accept", "content": {}}}
        before = len(site.keeper.answers)

        async def is_taken(answer: Any = answer) -> bool:
            return bool((await site.post(answer, **line)).status_code == 202)

        assert (await site.post(answer, "bob")).status_code == 400
        await eventually(is_taken)
        assert (await calling).status_code == 200
        again = await often(lambda _, answer=answer: site.post(answer, **line), 6)
        assert {each.status_code for each in again} == {400}
        assert site.keeper.answers[before:] == [question]


async def test_a_task_is_its_callers_on_every_connection(site: Site) -> None:
    """Of both eras, and from the moment on that it was named."""
    for _ in range(4):
        task = (await site.call("run")).json()["result"]["task"]["taskId"]
        message = {"id": 1, "method": "tasks/get", "params": {"taskId": task}}
        for who, member in (("ann", "result"), ("bob", "error")):
            polled = await often(lambda _, who=who, message=message: site.post(message, who))
            assert {member in answer.json() for answer in polled} == {True}, who


async def test_a_limit_is_one_limit(site: Site) -> None:
    """Five calls in a session, however many workers pass them on."""
    line = await site.begin()
    answers = await often(lambda n: site.call("scarce", request_id=n, **line))
    refused = ["tipstaff/decision" in answer.text for answer in answers]
    assert Counter(refused) == {True: OFTEN - 5, False: 5}


async def test_a_server_that_is_run_here_runs_once(site: Site) -> None:
    """For a caller without a session; and a session has one process on every connection."""

    async def modern(number: int) -> Any:
        message = tool_call("pid", request_id=number)
        return await site.post(message, "", "child", **call_headers("pid"))

    pids = {_pid(answer) for answer in await often(modern)}
    assert len(pids) == 1
    line = await site.begin("", "child")
    answers = await often(lambda n: site.call("pid", "", "child", request_id=n + 1, **line))
    assert len({_pid(answer) for answer in answers} - pids) == 1


def _pid(answer: httpx.Response) -> str:
    """The process that has answered."""
    assert answer.status_code == 200, answer.text
    return answer.text.partition('"pid":')[2].partition("}")[0].strip()


async def test_a_held_call_goes_on_at_any_worker(site: Site) -> None:
    """What one has sealed another can open."""
    message = tool_call("held", {"a": 1})
    lines = call_headers("held")
    for _ in range(2):
        answer = await site.post(message, "", "rounds", **lines)
        last = [line for line in answer.text.splitlines() if "{" in line][-1]
        result = json.loads(last.removeprefix("data: "))["result"]
        assert result["resultType"] == "input_required"
        message["params"]["requestState"] = result["requestState"]
    answers = await often(lambda _: site.post(message, "", "rounds", **lines), 12)
    assert {"requestState was not given" in answer.text for answer in answers} == {False}
    assert len({each["approval_id"] for each in site.gate.approval_records()}) == 1


async def test_no_client_can_say_that_it_is_another(site: Site) -> None:
    """The line that workers send each other means nothing on the port of the clients."""
    forged = {"tipstaff-sender": '[["9.9.9.9",1],"spiffe://admin"]'}
    before = len(site.gate.judged())
    session = {"Mcp-Session-Id": "some"}
    for line in ({}, session):
        answers = await often(lambda n, line=line: site.call("x", "", "open", request_id=n, **forged, **line))  # fmt: skip
        assert {answer.status_code for answer in answers} == {200}
    records = site.gate.judged()[before:]
    assert {each["principal"]["id"] for each in records} == {"anonymous:127.0.0.1"}
    note = b'{"type":"task","server":"s","task":"t1","principal":{"id":"token:bob","kind":"token"}}'
    base = site.gate.url("s").removesuffix("/s/mcp")
    assert (await site.client.post(f"{base}/notes", content=note)).status_code == 404


async def test_a_changed_configuration_is_taken_over_by_all(site: Site) -> None:
    """A server that is added is there on every connection."""
    text = site.gate.config.read_text()
    upstream = text.partition("[servers.s]")[2].partition('url = "')[2].partition('"')[0]
    site.gate.config.write_text(f'{text}\n[servers.later]\nurl = "{upstream}"\n')
    site.gate.rules("later", {"default": "allow"})
    assert site.gate.process is not None
    site.gate.process.send_signal(signal.SIGHUP)

    async def is_there() -> bool:
        answers = await often(lambda n: site.call("x", "", "later", request_id=n))
        return {answer.status_code for answer in answers} == {200}

    await eventually(is_there, 20)


async def test_a_worker_that_is_killed_takes_only_its_own_with_it(site: Site) -> None:
    """The others serve on, and it comes back."""
    line = await site.begin("", "open")
    for pid in site.workers():
        count = len([each for each in site.gate.log if "service is back" in each])
        os.kill(pid, signal.SIGKILL)
        statuses = Counter()
        for _ in range(4):
            for answer in await often(_calmly(lambda n: site.call("x", "", "open", request_id=n))):
                statuses[answer.status_code if answer is not None else 0] += 1
        # A connection that had come to it and waited is reset; none that comes later.
        assert statuses[0] <= 4
        assert set(statuses) <= {0, 200}

        async def is_back(count: int = count) -> bool:
            return len([each for each in site.gate.log if "service is back" in each]) > count

        await eventually(is_back, 20)
        # Nobody could have bound the session to an anonymous caller, who goes on with it.
        answers = await often(lambda n: site.call("x", "", "open", request_id=n, **line))
        assert {answer.status_code for answer in answers} == {200}


def _calmly(work: Callable[[int], Any]) -> Callable[[int], Any]:
    """The same work; `None` for a connection that was reset."""

    async def calm(number: int) -> Any:
        try:
            return await work(number)
        except httpx.TransportError:
            return None

    return calm


async def test_a_second_gateway_on_the_port_does_not_start(site: Site, tmp_path: Path) -> None:
    """Though its sockets could share the port: half of the calls would be judged by its rules."""
    other = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"})
    text = other.config.read_text()
    other.config.write_text(text.replace(f":{other.port}", f":{site.gate.port}"))
    for options in (("--workers", "2"), ()):
        other.options = options
        with pytest.raises(AssertionError, match="the port is in use"):
            await other.start()


@pytest.mark.parametrize(
    ("options", "hint"),
    [(("--workers", "0"), "1 to 64"), (("--workers", "2", "--inline"), "leave out --inline")],
)
async def test_what_cannot_be_meant_is_said(
    tmp_path: Path, options: tuple[str, ...], hint: str
) -> None:
    """Before anything starts."""
    gate = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"})
    gate.options = options
    with pytest.raises(AssertionError, match=hint):
        await gate.start()


async def test_a_client_certificate_names_the_caller_also_where_another_worker_serves_it(
    tmp_path: Path,
) -> None:
    """What was proven to one worker is told to the other, and to nobody else."""
    ours = Authority(tmp_path / "ours")
    server = ours.issue("127.0.0.1")
    tls = (
        f'[tls]\ncertificate = "{server.chain}"\nkey = "{server.key}"\nclient_ca = "{ours.path}"\n'
    )
    async with asgi_upstream(Keeper()) as url:
        gate = Gateway(tmp_path, {"s": {"url": url, "accept": ("mtls",)}}, tls)
        gate.options = ("--workers", "2")
        gate.rules("s", RULES)
        await gate.start()
        try:
            async with contextlib.AsyncExitStack() as stack:
                clients = []
                for name in ("ann", "bob"):
                    issued = ours.issue(uri=f"spiffe://{name}")
                    context = ssl.create_default_context(cafile=str(ours.path))
                    context.load_cert_chain(issued.chain, issued.key)
                    limits = httpx.Limits(max_keepalive_connections=0)
                    client = httpx.AsyncClient(verify=context, limits=limits, timeout=20)
                    clients.append(await stack.enter_async_context(client))
                ann, bob = (Site(gate, Keeper(), {}, client) for client in clients)
                gate.url = lambda name: f"https://127.0.0.1:{gate.port}/{name}/mcp"  # type: ignore[method-assign]
                line = await ann.begin()
                for who, status in ((ann, 200), (bob, 404)):
                    answers = await often(lambda n, who=who: who.call("x", request_id=n, **line))
                    assert {answer.status_code for answer in answers} == {status}
        finally:
            await gate.stop()
    judged = [each for each in gate.judged() if each["effect"] == "allow"]
    assert {each["principal"]["id"] for each in judged} == {"mtls:spiffe://ann"}
    assert {each["session"]["kind"] for each in judged} == {"legacy"}
