"""A FastMCP proxy with middleware, run by a Python that has FastMCP: peers_fastmcp.py PORT UPSTREAM_PORT LOG.

The middleware does what the measured rules say: an argument has a form, a tool is denied, calls are limited and logged.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from fastmcp.exceptions import ToolError
from fastmcp.server import create_proxy
from fastmcp.server.middleware import Middleware
from fastmcp.server.middleware.rate_limiting import RateLimitingMiddleware


class Rules(Middleware):
    """One rule on an argument, and one line for each decision."""

    def __init__(self, path: Path) -> None:
        """Append to `path`."""
        self._log = path.open("ab", buffering=0)

    async def on_call_tool(self, context: Any, call_next: Any) -> Any:
        """Judge a call."""
        name, arguments = context.message.name, context.message.arguments or {}
        is_allowed = name == "echo" and re.match("^b-", str(arguments.get("broker_id", "")))
        effect = "allow" if is_allowed else "deny"
        line = {"time": time.time(), "tool": name, "effect": effect, "arguments": arguments}
        self._log.write(json.dumps(line).encode() + b"\n")
        if not is_allowed:
            raise ToolError("Nothing is removed here.")
        return await call_next(context)


def main(port: int, upstream: int, log: Path) -> None:
    """Serve until killed."""
    limit = RateLimitingMiddleware(max_requests_per_second=1_000_000, burst_capacity=1_000_000)
    proxy = create_proxy(f"http://127.0.0.1:{upstream}/mcp", name="bench")
    for middleware in (limit, Rules(log)):
        proxy.add_middleware(middleware)
    proxy.run(
        transport="http", host="127.0.0.1", port=port, show_banner=False, json_response=True,
        stateless_http=True, uvicorn_config={"log_level": "critical", "access_log": False},
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
