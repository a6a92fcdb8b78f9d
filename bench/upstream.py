"""A server that answers every call at once: `python -m bench.upstream PORT`.

It speaks as much of MCP as clients of both eras need to begin. `POST /events?bytes=N&each=M` answers with a stream of
events, and a list has as many tools as `/mcp?tools=N` says.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from httptools import HttpRequestParser

_CALL = {"resultType": "complete", "content": [{"type": "text", "text": "ok"}], "isError": False}
_SCHEMA = {
    "type": "object",
    "properties": {"broker_id": {"type": "string"}, "region": {"type": "string"}},
}
_ID = re.compile(rb'"id": ?("[^"]*"|\d+)')
_METHOD = re.compile(rb'"method": ?"([^"]*)"')
_SERVER = {"name": "bench", "version": "1"}
_RESULTS: dict[bytes, dict[str, Any]] = {
    b"initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": _SERVER},
    b"server/discover": {
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
        "serverInfo": _SERVER, "ttlMs": 60_000, "cacheScope": "private",
    },
    b"ping": {},
}  # fmt: skip


@lru_cache
def _result(method: bytes, tools: int) -> bytes:
    if method == b"tools/list":
        names = ["echo", "remove", *(f"tool_{number}" for number in range(tools - 2))]
        listed = [{"name": name, "description": name, "inputSchema": _SCHEMA} for name in names]
        more = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "private"}
        return json.dumps({"tools": listed[:tools], **more}).encode()
    return json.dumps(_RESULTS.get(method, _CALL), separators=(",", ":")).encode()


@lru_cache
def _events(size: int, each: int) -> bytes:
    """A body of so many bytes in events of about `each` bytes, and the answer to the call at its end."""
    text = "x" * max(0, each - 110)
    notice = {"jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": text}]}, "id": 9}
    event = b"event: message\ndata: " + json.dumps(notice).encode() + b"\n\n"
    last = b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":' + _result(b"", 2) + b"}\n\n"
    return event * (size // len(event)) + last


class Upstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport: Any = transport
        self._parser = HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        """Keep what is asked for."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Keep the beginning of the message."""
        if len(self._body) < 65536:
            self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        query = parse_qs(urlsplit(self._url.decode()).query) if b"?" in self._url else {}
        if "bytes" in query:
            size, each = int(query["bytes"][0]), int(query["each"][0])
            self._write(_events(size, each), b"text/event-stream")
            return
        id_, method = _ID.search(self._body), _METHOD.search(self._body)
        if id_ is None:
            self._transport.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            return
        result = _result(method[1] if method else b"", int(query.get("tools", ["2"])[0]))
        self._write(b'{"jsonrpc":"2.0","id":' + id_[1] + b',"result":' + result + b"}")

    def _write(self, body: bytes, media: bytes = b"application/json") -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % (media, len(body)) + body)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
