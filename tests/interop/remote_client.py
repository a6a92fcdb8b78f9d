"""mcp-remote, which bridges a client's stdio to a URL: `python remote_client.py URL ERA`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from mcp import Client
from mcp.client.stdio import StdioServerParameters

NODE = Path(__file__).parents[2] / ".tools" / "node"
BRIDGE = NODE / "node_modules" / "mcp-remote" / "dist" / "proxy.js"


async def main(url: str, era: str) -> None:
    """List, call, be denied, call again: in the legacy era here, whatever is spoken behind it."""
    protocol = "legacy" if era == "legacy" else "auto"
    with tempfile.TemporaryDirectory(prefix="mcp-remote") as home:
        bridge = StdioServerParameters(
            command=str(NODE / "bin" / "node"),
            args=[str(BRIDGE), url, "--transport", "http-only", "--protocol", protocol, "--silent"],
            env={"HOME": home, "MCP_REMOTE_CONFIG_DIR": home},
        )
        async with Client(bridge, mode="legacy") as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            first = await client.call_tool("add", {"left": 1, "right": 2})
            denied = await client.call_tool("delete_everything", {"path": "/"})
            again = await client.call_tool("add", {"left": 2, "right": 3})
    print(json.dumps({
        "version": era, "tools": tools, "first": first.content[0].text,
        "denied": denied.content[0].text, "is_error": denied.is_error,
        "again": again.content[0].text,
    }))  # fmt: skip


asyncio.run(main(*sys.argv[1:]))
