"""The calls that load is made of: a modern tool call as a message, and as a whole request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ARGUMENTS = {"broker_id": "b-1234", "region": "eu-central-1", "count": 3}


def message(tool: str, arguments: Mapping[str, Any]) -> str:
    """One modern tool call."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    parameters = {"name": tool, "arguments": arguments, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters})


def request(path: str, tool: str, port: int) -> bytes:
    """One modern tool call, ready to be sent."""
    body = message(tool, _ARGUMENTS).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n"
        f"mcp-method: tools/call\r\nmcp-name: {tool}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
