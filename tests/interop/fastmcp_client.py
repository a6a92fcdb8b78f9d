"""fastmcp: `python fastmcp_client.py URL ERA`."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.exceptions import ToolError


async def main(url: str, era: str) -> None:
    """List, call, be denied, call again."""
    mode = "legacy" if era == "legacy" else "2026-07-28"
    async with Client(url, mode=mode) as client:
        tools = [tool.name for tool in await client.list_tools()]
        first = await client.call_tool("add", {"left": 1, "right": 2})
        try:
            await client.call_tool("delete_everything", {"path": "/"})
            denied = ""
        except ToolError as error:
            denied = str(error)
        again = await client.call_tool("add", {"left": 2, "right": 3})
        print(json.dumps({
            "version": era, "tools": tools, "first": first.content[0].text, "denied": denied,
            "is_error": bool(denied), "again": again.content[0].text,
        }))  # fmt: skip


asyncio.run(main(*sys.argv[1:]))
