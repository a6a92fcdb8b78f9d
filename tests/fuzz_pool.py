"""Random callers in front of random children: part of `make fuzz`.

Children without processes say what they like; callers ask, leave, come back, cancel, and name each
other's sessions. Whatever happens nothing crashes, no child ends that was not to end, what a caller
sees comes from its own children, under its own ids and tokens, and what is stored is bounded.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from pep.config import Server
from pep.ports import Answer, LostError, NeverReachedError
from pep.upstreams.http_answers import EventAnswer
from pep.upstreams.stdio_http import StdioServers
from pep.upstreams.stream import Storage
from tests.proxy_rig import META
from tests.scripted_child import Clock, ScriptedChild

_STORED = 20_000
_PROCESSES = 5
_CALLERS = ("ann", "bob", "carl")
_IDS: list[Any] = [1, 2, 3, "1", "x", 0, -1, 10**30, "\u00e9", "long" * 50]
_NAMED: list[Any] = [*_IDS, True, False, None, 1.0, 2.5, [1], {"a": 1}, "\ud800"]
_METHODS = [
    "tools/list", "resources/list", "subscriptions/listen", "notifications/message",
    "notifications/progress", "notifications/cancelled", "notifications/tools/list_changed",
    "elicitation/create", "ping", "", 7, None,
]  # fmt: skip
_JUNK: list[bytes | None] = [
    None, b"", b"{}", b"[]", b"null", b"1", b"noise", b"\x00", b"\xff", b"\xef\xbb\xbf{}", b'{"id":1}', b'{"id":1,"result":1}\r{}',
    b'{"id":1,"id":2,"result":{}}', b'{"id":2,"ID":1,"result":{}}', b'{"id":' + b"9" * 5000 + b',"result":{}}',
    b'{"x":' + b"[" * 3000, b'{"id":1,"result":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"id":1,"\\u0069d":2,"result":{}}', b'{"jsonrpc":"2.0","id":"\\ud800","result":{}}', b'{"method":"m","params":[]}',
]  # fmt: skip


class Child(ScriptedChild):
    """Says lines at random; every one names the caller that the child was started for."""

    def __init__(self, pid: int, dice: random.Random) -> None:
        super().__init__(pid)
        self.dice = dice
        self.owner = ""
        self.is_crashed = False

    async def write(self, line: bytes) -> None:
        message = json.loads(line)
        owner = message.get("params", message.get("result", message.get("error", {}))).get("from")
        if owner is not None:
            self.owner = self.owner or owner
            assert owner == self.owner, (owner, self.owner)
        await super().write(line)

    def speak(self) -> None:
        dice = self.dice
        if dice.random() < 0.25:
            self.say(dice.choice(_JUNK))
            return
        asked = [line["id"] for line in self.heard if "id" in line and "method" in line]
        named = dice.choice(asked) if asked and dice.random() < 0.7 else dice.choice(_NAMED)
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": named}
        marks = {"owner": self.owner, "text": "x" * dice.choice([0, 1, 3000])}
        if dice.random() < 0.5:
            message["result"] = marks
        else:
            message["method"] = dice.choice(_METHODS)
            token = dice.choice([named, dice.choice(_NAMED)])
            message["params"] = {**marks, "progressToken": token, "requestId": token}
            if dice.random() < 0.7:
                del message["id"]
        line = bytearray(json.dumps(message).encode())
        if dice.random() < 0.1:
            at = dice.randrange(len(line))
            line[at : at + dice.randrange(3)] = dice.choice([b"", b'"', b"}", b",", b"1", b"\xff"])
            if json.dumps(self.owner).encode() not in line:
                return
        self.say(bytes(line))


class Site:
    """A stdio_servers, its children, and what its callers have open."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.clock = Clock()
        self.children: list[Child] = []
        self.open: list[tuple[str, Any, Answer, Any]] = []
        self.sessions: list[tuple[str, str]] = []
        self.server = Server("s", command=("x",), max_processes=_PROCESSES)
        self.stdio_servers = StdioServers(self.clock, self._start)  # type: ignore[arg-type]
        self.stdio_servers._pool._storage = Storage(_STORED)

    async def _start(self, server: Server) -> Child:
        await asyncio.sleep(0)
        child = Child(len(self.children), self.dice)
        self.children.append(child)
        return child

    async def send(
        self, caller: str, verb: str, message: Any, headers: dict[str, str]
    ) -> Answer | None:
        body = None if message is None else json.dumps(message).encode()
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        asking = asyncio.ensure_future(
            self.stdio_servers.send(verb, self.server, lines, body, caller)
        )
        for _ in range(self.dice.choice([1, 5, 100])):
            await asyncio.sleep(0)
            if self.running and self.dice.random() < 0.2:
                self.dice.choice(self.running).speak()
        if not asking.done():
            asking.cancel()
        try:
            return await asking
        except (asyncio.CancelledError, LostError, NeverReachedError):
            return None

    def message(self, caller: str, *, is_modern: bool) -> Any:
        dice = self.dice
        request_id = dice.choice(_IDS)
        params: dict[str, Any] = {"from": caller, "name": "t", "arguments": {}}
        if is_modern or dice.random() < 0.5:
            meta = META if is_modern else {}
            params["_meta"] = {**meta, "progressToken": dice.choice(_IDS)}
        method = dice.choice(["tools/call", "tools/list", "resources/list"])
        if dice.random() < 0.3:
            method = dice.choice(["notifications/cancelled", "notifications/progress"])
            params |= {"requestId": dice.choice(_NAMED[:-1]), "progressToken": dice.choice(_IDS)}
            return {"jsonrpc": "2.0", "method": method, "params": params}
        if is_modern and dice.random() < 0.2:
            method = "subscriptions/listen"
        return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}

    async def ask(self) -> None:
        dice, caller = self.dice, self.dice.choice(_CALLERS)
        is_modern = dice.random() < 0.4
        message, headers = self.message(caller, is_modern=is_modern), {}
        session = ""
        if is_modern:
            headers["mcp-protocol-version"] = "2026-07-28"
        elif not self.sessions or dice.random() < 0.3:
            message |= {"id": 1, "method": "initialize"}
        else:
            owner, session = dice.choice(self.sessions)
            headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
        answer = await self.send(caller, "POST", message, headers)
        if answer is None:
            return
        given = dict(answer.lines).get(b"mcp-session-id", b"").decode()
        if session:
            assert (caller == owner) or answer.status == 404, (caller, owner, answer.status)
        elif given:
            self.sessions.append((caller, given))
        self.open.append((caller, message, answer, answer.chunks()))

    async def come_back(self) -> None:
        """Or end the session; now and then another's."""
        if not self.sessions:
            return
        dice, (owner, session) = self.dice, self.dice.choice(self.sessions)
        caller = dice.choice(_CALLERS)
        headers = {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25", "accept": "text/event-stream"}  # fmt: skip
        if dice.random() < 0.7:
            event_id = f"{dice.choice(['0', '1', '2', '3', '9' * 30, '', 'x'])}-{dice.choice(['0', '1', '-'])}"  # fmt: skip
            headers["last-event-id"] = event_id
        verb = "DELETE" if dice.random() < 0.2 else "GET"
        answer = await self.send(caller, verb, None, headers)
        if answer is not None:
            assert caller == owner or answer.status == 404
            self.open.append((caller, None, answer, answer.chunks()))

    async def read(self) -> None:
        """A little of an answer, or all of it, or none: and then perhaps leave."""
        dice = self.dice
        at = dice.randrange(len(self.open))
        caller, message, answer, chunks = self.open[at]
        try:
            for _ in range(dice.randrange(4)):
                if has_more(answer):
                    check(caller, message, await anext(chunks))
        except (StopAsyncIteration, LostError):
            await self.leave(at)
            return
        if dice.random() < 0.3:
            await self.leave(at)

    async def leave(self, at: int) -> None:
        _, _, answer, chunks = self.open.pop(at)
        await chunks.aclose()
        answer.close()

    @property
    def running(self) -> list[Child]:
        return [child for child in self.children if not child.is_ended and not child.is_crashed]

    async def step(self) -> None:
        what, running = self.dice.random(), self.running
        if what < 0.35 and running:
            for _ in range(self.dice.randrange(1, 5)):
                self.dice.choice(running).speak()
        elif what < 0.65:
            await self.ask()
        elif what < 0.72:
            await self.come_back()
        elif what < 0.74 and running:
            child = self.dice.choice(running)
            child.is_crashed = True
            child.crash()
        elif what < 0.77:
            self.clock.seconds += self.dice.choice([1, 30, 100])
        elif self.open:
            await self.read()
        for _ in range(3):
            await asyncio.sleep(0)

    def check(self) -> None:
        assert sum(not one.is_ended for one in self.children) <= _PROCESSES
        pool = self.stdio_servers._pool
        assert 0 <= pool._storage.size <= _STORED
        processes = pool._processes.values()
        heard = {one.conversation.child.pid for one in processes if one.conversation}
        for child in self.children:
            assert child.is_ended or child.is_crashed or child.pid in heard

    async def close(self) -> None:
        while self.open:
            await self.leave(0)
        await self.stdio_servers.close()
        assert all(child.is_ended for child in self.children)
        assert self.stdio_servers._pool._storage.size == 0


def has_more(answer: Answer) -> bool:
    """Whether reading it waits for nothing."""
    if not isinstance(answer, EventAnswer):
        return True
    return answer._stream.is_done or answer._stream.count > answer._seen


def check(caller: str, asked: Any, chunk: bytes) -> None:
    """One event, or one JSON body, that a caller got."""
    data = chunk.partition(b"data: ")[2] if b"data: " in chunk else chunk
    if not data.strip().startswith(b"{"):
        return
    message = json.loads(data)
    marks = message.get("result") or message.get("params")
    if not isinstance(marks, dict):
        return
    assert marks.get("owner", caller) in {caller, ""}, (caller, message)
    if asked is None or "id" not in asked:
        return
    if "method" not in message:
        found, own = message["id"], asked["id"]
        assert (type(found), found) == (type(own), own), (asked, message)
    meta = asked["params"].get("_meta", {})
    if "method" in message and META.items() <= meta.items():
        token = marks.get("progressToken")
        assert token in {None, meta["progressToken"]}, (asked, message)


async def _play(dice: random.Random, steps: int) -> None:
    site = Site(dice)
    failures: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    try:
        for _ in range(steps):
            await site.step()
            site.check()
    finally:
        await site.close()
    assert failures == []


def pool(dice: random.Random) -> None:
    """One site, for a while; one number says it all, since much comes of it."""
    site = random.Random(dice.getrandbits(32))
    asyncio.run(_play(site, site.randrange(10, 60)))
