"""The hostile callers: one attack after the other, each bounded, at a bounded rate.

Run as `python -m tests.hostile.caller PORT SECONDS ADDRESS`: calls from that loopback address, and
ends with one line of JSON: how often each attack was tried, and what was seen that should not be.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import random
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from tests.hostile import ASKED, DENIED_TOOL, HIDDEN, HIDDEN_TOOL, META, SECRET

_PAUSE_SECONDS = 0.05
_LONGEST_SECONDS = 8.0
_MOST_READ = 24 * 1024 * 1024
_CHARSETS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-7")
_AT_ONCE = 3
_numbers = itertools.count(1)
_SECRET_URIS = (
    "file:///public/../secret", "file:///public/.\t./secret", "file:///public/.\r./secret",
    "file:///public/.\n./secret", "file:///public/. ./secret", "file:///public/%2e%2e/secret",
    "file:///public/%252e%252e/secret", "file:///public/..;/secret", "file:///public/..\\secret",
    "file:///public/\x00../secret", " file:///secret", "FILE:///secret", "file:/secret",
    "file://localhost/secret", "file:///secret?x", "file:///secret#x", "file:////secret",
    "file:///%73ecret", "file:secret", "file:///public/..%2fsecret", "file:///public/\u2025/secret",
)  # fmt: skip

Attack = Callable[[], Awaitable[Any]]


class Hostile:
    """One hostile caller."""

    def __init__(self, port: int, address: str, seed: int) -> None:
        self._port = port
        self._address = address
        self._dice = random.Random(seed)
        self.tried: dict[str, int] = {}
        self.seen: list[str] = []

    async def run(self, seconds: float) -> None:
        """Attack until the time is up: all attacks once, in any order, before one comes again."""
        ends = asyncio.get_running_loop().time() + seconds
        titles = dict(attacks(self))
        self.tried = dict.fromkeys(titles, 0)
        rounds = itertools.chain.from_iterable(
            self._dice.sample(list(titles), len(titles)) for _ in itertools.count()
        )
        await asyncio.gather(*(self._attack(titles, rounds, ends) for _ in range(_AT_ONCE)))

    async def _attack(self, titles: dict[str, Attack], rounds: Iterator[str], ends: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < ends:
            title = next(rounds)
            self.tried[title] += 1
            with contextlib.suppress(OSError, TimeoutError, EOFError):
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await titles[title]()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def send(self, raw: bytes, *, title: str = "") -> bytes:
        """One request on a connection of its own, and what comes of it, looked at."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._address, 0), limit=2**20
        )
        read = bytearray()
        try:
            writer.write(raw)
            await writer.drain()
            while len(read) < _MOST_READ and (piece := await reader.read(2**20)):
                read += piece
        finally:
            writer.close()
            self._look(bytes(read), title)
        return bytes(read)

    async def post(self, server: str, message: Any, *lines: str, era: str = "modern") -> bytes:
        """A message as JSON."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.send(http(server, body, *self._lines(message, era), *lines), title=server)

    @staticmethod
    def _lines(message: Any, era: str) -> tuple[str, ...]:
        if era == "legacy" or not isinstance(message, dict):
            return ("MCP-Protocol-Version: 2025-11-25",)
        params = message.get("params", {})
        name = params.get("name", params.get("uri"))
        named = (f"Mcp-Name: {name}",) if isinstance(name, str) and name.isascii() and name.isprintable() else ()  # fmt: skip
        method = f"Mcp-Method: {message.get('method', '')}"
        return ("MCP-Protocol-Version: 2026-07-28", method, *named)

    def _look(self, read: bytes, title: str) -> None:
        """Look for what nobody may see, as a reader does that takes any charset and coding."""
        lines, _, body = read.partition(b"\r\n\r\n")
        bodies = [body]
        if b"content-encoding" in lines.lower():
            with contextlib.suppress(OSError, EOFError, zlib.error):
                bodies.append(zlib.decompressobj(47).decompress(body, _MOST_READ))
        for data, charset in itertools.product(bodies, _CHARSETS):
            for word in (HIDDEN, ASKED):
                if word.encode(charset) in data:
                    self.seen.append(f"{title}: {word} in {charset}: {read[:300]!r}")
                    return
        if b"set-cookie" in lines.lower():
            self.seen.append(f"{title}: a cookie: {lines!r}")


def http(server: str, body: bytes, *lines: str, verb: str = "POST") -> bytes:
    head = (
        f"{verb} /{server}/mcp HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json",
        "Accept: application/json, text/event-stream", "Connection: close", *lines,
        f"Content-Length: {len(body)}", "", "",
    )  # fmt: skip
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + body


def call(name: Any, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": next(_numbers), "method": "tools/call", "params": params}


def ask(method: str, **params: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": {**params, "_meta": META},
    }  # fmt: skip


def attacks(hostile: Hostile) -> Iterator[tuple[str, Attack]]:
    """Every attack by its title."""
    yield from _asking(hostile)
    yield from _denied(hostile)
    yield from _large(hostile)
    yield from _floods(hostile)
    yield from _stdio(hostile)


def _asking(hostile: Hostile) -> Iterator[tuple[str, Attack]]:
    """What makes the hostile server answer: it chooses by what."""
    for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
        for _ in range(6):
            yield f"{method} {_}", lambda method=method: hostile.post("trap", ask(method))
    for number in range(24):
        yield f"a call of the trap {number}", lambda: hostile.post("trap", call("echo", text="x"))


def _denied(hostile: Hostile) -> Iterator[tuple[str, Attack]]:
    """What policy denies, in every dress."""
    names = (
        DENIED_TOOL,
        DENIED_TOOL + " ",
        DENIED_TOOL.upper(),
        f"{DENIED_TOOL}\u200b",
        [DENIED_TOOL],
    )
    for server, name in itertools.product(("idempotency", "trap", "pipe"), names):
        yield (
            f"{name!r} at {server}",
            lambda server=server, name=name: hostile.post(server, call(name)),
        )
    yield "hidden", lambda: hostile.post("idempotency", call(HIDDEN_TOOL))
    for server, name in itertools.product(("idempotency", "pipe"), (DENIED_TOOL, HIDDEN_TOOL)):
        null = call(name)
        null["params"] = {**null["params"], "arguments": None}
        silent = {key: value for key, value in null.items() if key != "id"}
        for title, message in (("null arguments", null), ("no id", silent)):
            yield (
                f"{name} with {title} at {server}",
                lambda server=server, message=message: hostile.post(server, message),
            )
    good = json.dumps(call("echo"))
    for member in ('"name ": "%s", "name"', '"name": "%s", "name"', '"NAME": "%s", "name"', '"na\\u006de": "%s", "name"'):  # fmt: skip
        body = good.replace('"name"', member % DENIED_TOOL, 1).encode()
        yield (
            f"the key {member}",
            lambda body=body: hostile.send(
                http("idempotency", body, "MCP-Protocol-Version: 2025-11-25")
            ),
        )
    for uri in _SECRET_URIS:
        yield (
            f"the resource {uri!r}",
            lambda uri=uri: hostile.post(
                "idempotency", ask("resources/read", uri=uri), era="legacy"
            ),
        )
        yield (
            f"a watch of {uri!r}",
            lambda uri=uri: hostile.post(
                "idempotency",
                ask("subscriptions/listen", notifications={"resourceSubscriptions": [uri]}),
            ),
        )
    answer = {"jsonrpc": "2.0", "id": 77, "result": {"action": "accept", "content": {}}}
    yield "a forged answer", lambda: _forged(hostile, answer)


async def _forged(hostile: Hostile, answer: dict[str, Any]) -> None:
    """Answer what nobody has asked, within a session of one's own."""
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}  # fmt: skip
    for server in ("trap", "pipe"):
        message = {"jsonrpc": "2.0", "id": next(_numbers), "method": "initialize", "params": about}
        read = await hostile.post(server, message, era="legacy")
        session = [
            line for line in read.split(b"\r\n") if line.lower().startswith(b"mcp-session-id")
        ]
        for number in (*range(20), 77):
            lines = [line.decode() for line in session]
            await hostile.post(server, {**answer, "id": number}, *lines, era="legacy")


def _large(hostile: Hostile) -> Iterator[tuple[str, Attack]]:
    """What is large, deep, or of very many parts."""
    blob = "x" * int(3.5 * 1024 * 1024)
    big = "x" * (4 * 1024 * 1024 - 2000)
    keys = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{%s}}}'
    )
    million = keys % b",".join(b'"%x":0' % number for number in range(400_000))
    deep = keys % (b'"a":' + b"[" * 100_000 + b"]" * 100_000)
    uris = [f"file:///public/{number}" for number in range(30_000)]
    packed = gzip.compress(keys % (b'"a":"' + b"x" * 3_900_000 + b'"'))
    yield "a large denied call", lambda: hostile.post("idempotency", call(DENIED_TOOL, text=blob))
    yield (
        "eight large calls",
        lambda: asyncio.gather(
            *(hostile.post("idempotency", call(DENIED_TOOL, text=big)) for _ in range(8)),
            return_exceptions=True,
        ),
    )
    yield "a million keys", lambda: hostile.post("idempotency", million)
    yield "deep nesting", lambda: hostile.post("idempotency", deep)
    yield (
        "30,000 URIs",
        lambda: hostile.post(
            "idempotency",
            ask("subscriptions/listen", notifications={"resourceSubscriptions": uris}),
        ),
    )
    yield "a compressed call", lambda: hostile.post("idempotency", packed, "Content-Encoding: gzip")
    yield "a body that is too large", lambda: hostile.post("idempotency", b"[" + b" " * 9_000_000)
    yield (
        "long header lines",
        lambda: hostile.post("idempotency", call("echo"), *["X-A: " + "b" * 900] * 80),
    )


def _floods(hostile: Hostile) -> Iterator[tuple[str, Attack]]:
    """Many at once, slow ones, and ones that do not read."""

    async def many(make: Callable[[int], Awaitable[Any]], count: int) -> None:
        await asyncio.gather(*map(make, range(count)), return_exceptions=True)

    yield (
        "a flood of calls",
        lambda: many(lambda _: hostile.post("idempotency", call(DENIED_TOOL)), 100),
    )
    yield (
        "a flood of wrong tokens",
        lambda: many(
            lambda number: hostile.post(
                "idempotency", call("echo"), f"Authorization: Bearer tipstaff_{number}"
            ),
            50,
        ),
    )
    yield (
        "a flood of sessions",
        lambda: many(
            lambda number: hostile.post(
                "idempotency", call("echo"), f"Tipstaff-Session: s{number}"
            ),
            30,
        ),
    )
    yield "a flood of initialize", lambda: many(lambda _: _forged_session(hostile), 20)
    yield "a slow body", lambda: _slow(hostile)
    yield "a reader that does not read", lambda: _deaf(hostile)
    for raw in (
        b"GARBAGE\r\n\r\n", b"\x16\x03\x01" * 90, b"POST /idempotency/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n" * 40,
        b"POST /idempotency/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ):  # fmt: skip
        yield f"the bytes {raw[:20]!r}", lambda raw=raw: hostile.send(raw)


async def _forged_session(hostile: Hostile) -> None:
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}  # fmt: skip
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
    await hostile.post("idempotency", message, era="legacy")


async def _slow(hostile: Hostile) -> None:
    body = json.dumps(call("echo")).encode()
    raw = http("idempotency", body)
    _, writer = await asyncio.open_connection("127.0.0.1", hostile._port, local_addr=(hostile._address, 0))  # fmt: skip
    try:
        for byte in raw[:60]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
    finally:
        writer.close()


async def _deaf(hostile: Hostile) -> None:
    """Ask for the longest answers, and read none of them."""
    body = json.dumps(call("echo")).encode()
    raw = http(
        "trap", body, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: echo"
    )
    pairs = [
        await asyncio.open_connection("127.0.0.1", hostile._port, local_addr=(hostile._address, 0), limit=1024)
        for _ in range(8)
    ]  # fmt: skip
    try:
        for _, writer in pairs:
            writer.write(raw)
        await asyncio.sleep(3)
    finally:
        for _, writer in pairs:
            writer.close()


def _stdio(hostile: Hostile) -> Iterator[tuple[str, Attack]]:
    """What reaches the child."""
    for number in range(16):
        yield f"a call of the child {number}", lambda: hostile.post("pipe", call("echo"))
        yield f"a list of the child {number}", lambda: hostile.post("pipe", ask("tools/list"))
    for named in (1, 2, 3, "1", True, [1], 10**30):
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": named, "_meta": META}}  # fmt: skip
        yield f"a cancellation of {named!r}", lambda note=note: hostile.post("pipe", note)
    for session in ("modern anonymous:127.0.0.11", "anonymous:127.0.0.11", "x" * 4000):
        yield (
            f"the session {session[:30]}",
            lambda session=session: hostile.post(
                "pipe", call("echo"), f"Mcp-Session-Id: {session}", era="legacy"
            ),
        )
    resuming = http("pipe", b"", "MCP-Protocol-Version: 2025-11-25", "Last-Event-ID: " + "9" * 5000 + "-1", verb="GET")  # fmt: skip
    yield "a very long Last-Event-ID", lambda: hostile.send(resuming)
    token = {**call("echo")}
    token["params"] = {**token["params"], "_meta": {**META, "progressToken": [SECRET]}}
    yield "an odd token", lambda: hostile.post("pipe", token)


async def main(port: int, seconds: float, address: str) -> None:
    hostile = Hostile(port, address, seed=int(address.rpartition(".")[2]))
    await hostile.run(seconds)
    print(json.dumps({"tried": hostile.tried, "seen": hostile.seen[:20]}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
