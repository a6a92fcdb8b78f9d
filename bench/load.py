"""Load over keep-alive connections: a bounded number of calls, each connection one call at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence


def request(path: str, tool: str, port: int) -> bytes:
    """One modern tool call, ready to be sent."""
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": tool,
                "arguments": {"broker_id": "b-1234", "region": "eu-central-1", "count": 3},
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        }
    ).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n"
        f"mcp-method: tools/call\r\nmcp-name: {tool}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(
    port: int, message: bytes, *, in_flight: int, calls: int, expect: bytes
) -> list[float]:
    """Make `calls` calls, `in_flight` at a time; the latency of each in seconds.

    Raises `AssertionError` when an answer does not contain `expect`.
    """
    each = calls // in_flight
    lanes = await asyncio.gather(*(_lane(port, message, each, expect) for _ in range(in_flight)))
    return [latency for lane in lanes for latency in lane]


async def _lane(port: int, message: bytes, calls: int, expect: bytes) -> Sequence[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies = []
    try:
        for _ in range(calls):
            started = time.perf_counter()
            writer.write(message)
            answer = await _answer(reader)
            latencies.append(time.perf_counter() - started)
            if expect not in answer:
                raise AssertionError(f"unexpected answer: {answer[:300]!r}")
    finally:
        writer.close()
    return latencies


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    body = b""
    while (size := int(await reader.readline(), 16)) != 0:
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
