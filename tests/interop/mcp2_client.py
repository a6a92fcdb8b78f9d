"""The Python SDK 2: `python mcp2_client.py URL ERA`."""

import asyncio
import json
import sys

from mcp import Client


async def main(url: str, era: str) -> None:
    """List, call, be denied, call again."""
    mode = "legacy" if era == "legacy" else "2026-07-28"
    async with Client(url, mode=mode) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        first = await client.call_tool("add", {"left": 1, "right": 2})
        denied = await client.call_tool("delete_everything", {"path": "/"})
        again = await client.call_tool("add", {"left": 2, "right": 3})
        print(json.dumps({
            "version": client.protocol_version, "tools": tools, "first": first.content[0].text,
            "denied": denied.content[0].text, "is_error": denied.is_error,
            "again": again.content[0].text,
        }))  # fmt: skip


asyncio.run(main(*sys.argv[1:]))
