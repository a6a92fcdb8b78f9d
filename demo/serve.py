"""Serves one of the demo's MCP servers over streamable HTTP, counting the tool calls that reach it.

Runs in the servers' own environment, not in Tipstaff's: `python serve.py NAME PORT COUNTED`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def counting(app: Application, counted: Path) -> Application:
    """`app`, which first writes down the name of every tool it is asked to run."""

    async def count(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if b'"tools/call"' in body:
            with counted.open("a", encoding="utf-8") as file:
                file.write(json.dumps(json.loads(body)["params"]["name"]) + "\n")
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        await app(scope, again, send)

    return count


def amazon_mq(run: Callable[[Any], None]) -> None:
    """The Amazon MQ server; its own `main` registers the tools and would then serve stdio."""
    from awslabs.amazon_mq_mcp_server import server

    server.mcp.run = lambda: run(server.mcp)
    sys.argv[1:] = ["--allow-resource-creation"]
    server.main()


def agentcore(run: Callable[[Any], None]) -> None:
    """The Bedrock AgentCore server; its tools are registered when it is imported."""
    from awslabs.amazon_bedrock_agentcore_mcp_server import server

    run(server.mcp)


SERVERS = {"amazon_mq": amazon_mq, "agentcore": agentcore}


def main(name: str, port: int, counted: Path) -> None:
    """Serve `name` on 127.0.0.1 until told to stop."""
    import uvicorn

    def run(server: Any) -> None:
        app = counting(server.streamable_http_app(), counted)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")

    SERVERS[name](run)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
