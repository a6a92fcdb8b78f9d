"""Compares `Mcp-Param-*` header lines with the arguments, as an HTTP server has to (SEP-2243).

A server behind stdio gets no header lines, so the proxy must check them. The tools' schemas tell which
arguments are mirrored (`x-mcp-header`); the tools are listed once, in one bounded survey that all calls
under way wait for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from pep.errors import HeaderMismatch
from pep.mcp.addressing import Addressed
from pep.ports import LostError, NeverSentCancelledError
from pep.upstreams.child_conversation import ChildConversation
from pep.upstreams.reading import next_message

_SECONDS = 10.0
_MOST_PAGES = 64
_MOST_BYTES = 8 * 1024 * 1024


async def check_parameters(
    conversation: ChildConversation, body: bytes, lines: dict[str, str]
) -> None:
    """Check the header lines; raises `HeaderMismatch`, or `LostError` when the server does not list its tools."""
    params = json.loads(body)["params"]
    schemas = await _schemas(conversation, params["_meta"])
    schema = schemas.get(params.get("name"))
    if schema is None:
        return
    validate = await asyncio.to_thread(_validator)
    mismatch = validate(schema, params.get("arguments") or {}, lines)
    if mismatch is not None:
        raise HeaderMismatch(mismatch.message)


def _validator() -> Callable[..., Any]:
    """The SDK's own check. The SDK takes half a second to load, and few proxies ever need it."""
    from mcp.shared.inbound import validate_mcp_param_headers  # noqa: PLC0415

    return validate_mcp_param_headers


async def _schemas(conversation: ChildConversation, meta: dict[str, Any]) -> dict[str, Any]:
    """The schemas of the tools that mirror arguments, by name."""
    if conversation.mirrored is not None:
        return conversation.mirrored
    survey = conversation.survey
    if survey is None or survey.done():
        survey = conversation.survey = asyncio.ensure_future(_survey(conversation, meta))
        survey.add_done_callback(_heeded)
    return await asyncio.shield(survey)


async def _survey(conversation: ChildConversation, meta: dict[str, Any]) -> dict[str, Any]:
    own_meta = {key: value for key, value in meta.items() if key != "progressToken"}
    schemas: dict[str, Any] = {}
    left = _MOST_BYTES
    cursor: str | None = ""
    try:
        async with asyncio.timeout(_SECONDS):
            for _ in range(_MOST_PAGES):
                page = await _page(conversation, own_meta, cursor or "")
                left -= len(page)
                if left < 0:
                    break
                cursor = _read(page, schemas)
                if cursor is None:
                    return schemas
                if not cursor:
                    conversation.mirrored = schemas
                    return schemas
    except TimeoutError:
        pass
    raise LostError("the server does not say which arguments its tools mirror")


async def _page(conversation: ChildConversation, meta: dict[str, Any], cursor: str) -> bytes:
    """One answer to `tools/list`, requested under a number that no client's request has."""
    params = {"_meta": meta} | ({"cursor": cursor} if cursor else {})
    message = {"jsonrpc": "2.0", "id": 0, "method": "tools/list", "params": params}
    addressed = Addressed("tools/list", raw_id=b"0")
    try:
        stream = await conversation.ask(json.dumps(message).encode(), addressed, is_ours=True)
    except NeverSentCancelledError as error:
        # `asyncio.timeout` recognises its own cancellation by the exception's exact class (CPython 3.11).
        raise asyncio.CancelledError from error
    try:
        answer = await next_message(stream, 0, None)
    finally:
        conversation.leave(stream)
    return b"{}" if answer is None else answer[1]


def _read(page: bytes, schemas: dict[str, Any]) -> str | None:
    """Keep the schemas that mirror something; the next cursor, "" at the end.

    `None` for an error: a server without tools mirrors nothing, but may have tools later.
    """
    try:
        result = json.loads(page).get("result")
        if not isinstance(result, dict):
            return None
        tools = result.get("tools")
        for tool in tools if isinstance(tools, list) else ():
            name = tool.get("name") if isinstance(tool, dict) else None
            if isinstance(name, str) and "x-mcp-header" in json.dumps(tool.get("inputSchema", {})):
                schemas[name] = tool["inputSchema"]
    except (ValueError, RecursionError) as error:
        raise LostError("the server's list of tools cannot be read") from error
    cursor = result.get("nextCursor")
    return cursor if isinstance(cursor, str) else ""


def _heeded(survey: asyncio.Future[Any]) -> None:
    """Mark a failure as retrieved: it is raised to the calls that wait, if there are any."""
    if not survey.cancelled():
        survey.exception()
