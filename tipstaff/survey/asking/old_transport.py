"""Tells the HTTP+SSE transport of MCP 2024-11-05, which Tipstaff does not speak. Edge: httpx2.

Such a server answers a GET with a stream of events, whose first names where messages are to be posted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx2

from tipstaff.survey.asking.failures import Complaint

_SECONDS = 3.0
_MOST_BYTES = 4096
# What a server of that transport says to a POST at the URL of its events.
_STATUSES = frozenset({400, 404, 405, 406, 415})


async def is_old(client: httpx2.AsyncClient, url: str, status: int) -> bool:
    """Whether a server that has answered a POST with `status` speaks the old transport at `url`."""
    if status not in _STATUSES:
        return False
    with suppress(Exception):  # whatever comes of the question, the server has failed already
        async with (
            asyncio.timeout(_SECONDS),
            client.stream("GET", url, headers={"accept": "text/event-stream"}) as answer,
        ):
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if answer.status_code != 200 or kind != "text/event-stream":
                return False
            start = b""
            async for chunk in answer.aiter_raw():
                start += chunk
                if b"\n" in start.lstrip() or len(start) > _MOST_BYTES:
                    return b"event:endpoint" in start.replace(b" ", b"").splitlines()
    return False


def complaint_about(name: str, shown_url: str) -> Complaint:
    """The error for a server of the old transport, with what to do instead."""
    bridge = f"tipstaff register {name} -- npx -y mcp-remote {shown_url} --transport sse-only"
    return (
        "it speaks the HTTP+SSE transport of MCP 2024-11-05, which is not supported",
        f"Most such servers have a newer URL, often /mcp instead of /sse. Else use a bridge: {bridge}",
    )
