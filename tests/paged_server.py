"""The smallest MCP server with pages and members that no model knows: `python paged_server.py ERA`.

It stands alone, over stdio, and gives an ASGI application for HTTP. A second argument makes it odd.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MODERN, LEGACY = "2026-07-28", "2025-11-25"
INFO = {"name": "paged", "version": "1.5", "vendor/colour": "blue"}
TOOLS: list[dict[str, Any]] = [
    {
        "name": "look",
        "title": None,
        "description": "Look \u00fcp.\u200b",
        "inputSchema": {"type": "object", "properties": {"n": {"maximum": 2**70, "x-unit": "m"}}},
        "annotations": {"readOnlyHint": True, "vendor/trust": [1, 2.0, None, {"deep": False}]},
        "vendor/unknown": {"kept": [True, 1e-7, -0.0]},
        "_meta": {"vendor/key": {}},
    },
    {"name": "no-type", "inputSchema": {"properties": {}}, "execution": {"taskSupport": "odd"}},
    {"name": "no schema at all", "icons": [{"vendor": 1}], "outputSchema": {"type": "array"}},
]
PAGES: dict[str | None, tuple[list[dict[str, Any]], str]] = {
    None: (TOOLS[:1], "two"),
    "two": (TOOLS[1:2], "three"),
    "three": (TOOLS[2:], ""),
}


def answer(
    era: str, message: dict[str, Any], results: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """The answer to a message, if it gets one; `results` are said instead of ours, by method."""
    if "id" not in message:
        return None
    head = {"jsonrpc": "2.0", "id": message["id"]}
    method, instead = message["method"], results or {}
    result = (
        instead[method] if method in instead else _result(era, method, message.get("params", {}))
    )
    if result is None:
        return {**head, "error": {"code": -32601, "message": "Method not found"}}
    return {**head, "result": result}


def _result(era: str, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    capabilities = {"tools": {"listChanged": True}, "vendor/capability": {"on": 1}}
    begun = {"capabilities": capabilities, "instructions": "Mind the gap."}
    fresh = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    if era == "legacy" and method == "initialize":
        return {**begun, "protocolVersion": LEGACY, "serverInfo": INFO}
    if era == "modern" and method == "server/discover":
        meta = {"io.modelcontextprotocol/serverInfo": INFO}
        return {**begun, **fresh, "supportedVersions": [MODERN], "_meta": meta}
    if method == "tools/list":
        tools, cursor = PAGES[params.get("cursor")]
        more = {"nextCursor": cursor} if cursor else {}
        return {"tools": tools, **more, **(fresh if era == "modern" else {})}
    return None


def app(era: str) -> Any:
    """The same over HTTP; `app.headers` holds the header lines of every request."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        serve.headers.append(dict(scope["headers"]))  # type: ignore[attr-defined]
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        said = answer(era, json.loads(body)) if scope["method"] == "POST" else None
        status = 200 if said else 202 if scope["method"] == "POST" else 405
        if said and said.get("error") and era == "modern":
            status = 404
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": json.dumps(said).encode() if said else b""}
        )

    serve.headers = []  # type: ignore[attr-defined]
    return serve


def main(era: str, odd: dict[str, Any]) -> None:
    """Serve over stdio. `odd` may hold `first`, what happens to a first message that is not
    `initialize` (`end` or `ignore`), a `banner`, and `results` of its own: method to result or null.
    """
    if "banner" in odd:
        print(odd["banner"], flush=True)  # noqa: T201
    for count, line in enumerate(sys.stdin):
        message = json.loads(line)
        if count == 0 and message["method"] != "initialize" and "first" in odd:
            if odd["first"] == "end":
                sys.exit("expected initialize")
            continue
        said = answer(era, message, odd.get("results", {}))
        if said is not None:
            print(json.dumps(said), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
