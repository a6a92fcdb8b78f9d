"""Holds `Mcp-Param-*` header lines against the arguments, as an HTTP server has to (SEP-2243).

A server behind stdio has no header lines, so the one who takes them must check them. Which arguments
are mirrored the tools say in their schemas (`x-mcp-header`); they are asked for once.
"""

from __future__ import annotations

import json
from typing import Any

from mcp.shared.inbound import validate_mcp_param_headers

from pep.conversation import Conversation
from pep.errors import HeaderMismatch
from pep.ports import LostError

_SECONDS = 10.0


async def check_parameters(conversation: Conversation, body: bytes, lines: dict[str, str]) -> None:
    """Raises `HeaderMismatch`."""
    params = json.loads(body)["params"]
    schemas = await _schemas(conversation, params["_meta"])
    schema = schemas.get(params.get("name"))
    if schema is None:
        return
    found = validate_mcp_param_headers(schema, params.get("arguments") or {}, lines)
    if found is not None:
        raise HeaderMismatch(found.message)


async def _schemas(conversation: Conversation, meta: dict[str, Any]) -> dict[str, Any]:
    """The schemas of the tools that mirror arguments, by name."""
    if conversation.mirrored is None:
        found: dict[str, Any] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = await _page(conversation, meta, cursor)
            for tool in page.get("tools", ()):
                if "x-mcp-header" in json.dumps(tool.get("inputSchema", {})):
                    found[tool["name"]] = tool["inputSchema"]
            cursor = page.get("nextCursor") or None
        conversation.mirrored = found
    return conversation.mirrored


async def _page(conversation: Conversation, meta: dict[str, Any], cursor: str) -> dict[str, Any]:
    told = {key: value for key, value in meta.items() if key != "progressToken"}
    params = {"_meta": told} | ({"cursor": cursor} if cursor else {})
    message = {"jsonrpc": "2.0", "id": 0, "method": "tools/list", "params": params}
    stream = await conversation.ask(json.dumps(message).encode())
    found = await stream.after(0, _SECONDS)
    if found is None:
        raise LostError("the server does not say which arguments its tools mirror")
    result = json.loads(found[1]).get("result")
    return result if isinstance(result, dict) else {}
