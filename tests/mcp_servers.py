"""MCP servers to stand in front of: the smallest that speak the protocol, counting what arrives."""

from __future__ import annotations

import json
from typing import Any

from mcp.server.mcpserver import MCPServer


class Counting:
    """An ASGI MCP endpoint that answers every request at once and keeps its bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(bytes(body))
        request = json.loads(body)
        result = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
        answer = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def names(self) -> list[str]:
        return [json.loads(body)["params"]["name"] for body in self.bodies]


def sdk_server() -> MCPServer:
    """A real server of the SDK; `ran` on it holds what its tools have done."""
    server = MCPServer("fixture")

    @server.tool()
    def add(left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    @server.tool()
    def delete_everything(path: str) -> str:
        """Delete."""
        ran.append(path)
        return "gone"

    ran: list[str] = []
    server.ran = ran  # type: ignore[attr-defined]
    return server
