"""The honest server, and the honest callers whose calls must all be answered in time."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import Any

import aiohttp

from tests.hostile import DENIED_TOOL, HIDDEN, META, SECRET, TOOLS

_TIMEOUT = aiohttp.ClientTimeout(total=20)
_JSON = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


class Idempotency:
    """A small MCP server of both eras; keeps what should never have reached it."""

    def __init__(self) -> None:
        self.echoed = 0
        self.violations: list[str] = []
        self._sessions = itertools.count()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = json.loads(body or b"{}")
        text = bytes(body[:300]).decode(errors="replace")
        if DENIED_TOOL in text or SECRET in text or "method" not in request:
            self.violations.append(f"reached the idempotency: {text}")
        lines = [(b"content-type", b"application/json")]
        if request.get("method") == "initialize":
            lines.append((b"mcp-session-id", b"idempotency-%d" % next(self._sessions)))
        answer = b"" if "id" not in request else json.dumps(
            {"jsonrpc": "2.0", "id": request["id"], "result": self._result(request)}
        ).encode()  # fmt: skip
        status = 200 if answer else 202
        lines.append((b"content-length", b"%d" % len(answer)))
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": answer})

    def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("method"):
            case "initialize":
                about = {"name": "idempotency", "version": "1"}
                return {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": about}
            case "tools/list":
                return {"tools": TOOLS, "resultType": "complete"}
            case "tools/call":
                self.echoed += 1
                text = request["params"].get("arguments", {}).get("text", "")
                return {"content": [{"type": "text", "text": text}], "resultType": "complete"}
        return {"resultType": "complete"}


class Honest:
    """One honest caller, with an address of its own; every fifth call is a list."""

    def __init__(self, port: int, number: int) -> None:
        self._url = f"http://127.0.0.1:{port}/idempotency/mcp"
        self._address = f"127.0.0.{10 + number}"
        self._is_legacy = number % 2 == 1
        self._dice = random.Random(number)
        self.seconds: list[float] = []
        self.failures: list[str] = []

    async def run(self, seconds: float) -> None:
        """Call until the time is up."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0))
        async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as client:
            headers = await self._begin(client) if self._is_legacy else {}
            for number in itertools.count():
                if loop.time() >= ends:
                    return
                began = loop.time()
                failure = await self._one(client, number, headers)
                self.seconds.append(loop.time() - began)
                if failure:
                    self.failures.append(failure)
                await asyncio.sleep(self._dice.uniform(0.05, 0.25))

    async def _begin(self, client: aiohttp.ClientSession) -> dict[str, str]:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}}  # fmt: skip
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        async with client.post(self._url, json=message, headers=_JSON) as answer:
            session = answer.headers["Mcp-Session-Id"]
        return {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": session}

    async def _one(
        self, client: aiohttp.ClientSession, number: int, headers: dict[str, str]
    ) -> str:
        """Make one call; says what is wrong with its answer."""
        text = f"{self._address} {number}"
        is_list = number % 5 == 4
        method = "tools/list" if is_list else "tools/call"
        params: dict[str, Any] = {} if is_list else {"name": "echo", "arguments": {"text": text}}
        if not self._is_legacy:
            params["_meta"] = META
            headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
            headers |= {} if is_list else {"Mcp-Name": "echo"}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            async with client.post(self._url, json=message, headers=_JSON | headers) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"{text}: {error!r}"
        wanted = b'"echo"' if is_list else text.encode()
        is_right = answer.status == 200 and wanted in body and HIDDEN.encode() not in body
        return (
            "" if is_right and b"isError" not in body else f"{text}: {answer.status} {body[:300]!r}"
        )
