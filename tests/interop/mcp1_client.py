"""The Python SDK 1: `python mcp1_client.py URL ERA`."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str, _era: str) -> None:
    """List, call, be denied, call again."""
    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        begun = await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        first = await session.call_tool("add", {"left": 1, "right": 2})
        denied = await session.call_tool("delete_everything", {"path": "/"})
        again = await session.call_tool("add", {"left": 2, "right": 3})
        print(json.dumps({
            "version": begun.protocolVersion, "tools": tools, "first": first.content[0].text,
            "denied": denied.content[0].text, "is_error": denied.isError,
            "again": again.content[0].text,
        }))  # fmt: skip


asyncio.run(main(*sys.argv[1:]))
