"""langchain-mcp-adapters: `python langchain_client.py URL ERA`."""

import asyncio
import json
import sys

from langchain_core.tools import ToolException
from langchain_mcp_adapters.client import MultiServerMCPClient


def text(answer: object) -> str:
    """What the model would read."""
    return answer if isinstance(answer, str) else "".join(part["text"] for part in answer)


async def main(url: str, _era: str) -> None:
    """List, call, be denied, call again."""
    client = MultiServerMCPClient({"s": {"transport": "streamable_http", "url": url}})
    tools = {tool.name: tool for tool in await client.get_tools()}
    first = await tools["add"].ainvoke({"left": 1, "right": 2})
    try:
        denied, is_error = text(await tools["delete_everything"].ainvoke({"path": "/"})), False
    except ToolException as error:
        denied, is_error = str(error), True
    again = await tools["add"].ainvoke({"left": 2, "right": 3})
    print(json.dumps({
        "version": "", "tools": list(tools), "first": text(first), "denied": denied,
        "is_error": is_error or "Policy violation" in denied, "again": text(again),
    }))  # fmt: skip


asyncio.run(main(*sys.argv[1:]))
