"""A server's own list of its tools, as a value. Pure: pages come from a function that is given.

Lossless: every tool is kept with every member, known or not, since what is pinned is what was said.
Refused is only what cannot be told apart or written down: no object, no name, a name twice, no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct, structs

from pep.mcp.headers import HANDSHAKE_VERSIONS
from pep.mcp.methods import LEGACY, MODERN
from tipstaff.cli.errors import ListingError

MAX_PAGES = 1000
MAX_TOOLS = 20_000
_SERVER_INFO = "io.modelcontextprotocol/serverInfo"
_FORMS = (
    'expected the answer to tools/list: {"tools": […]}, the JSON-RPC answer that holds it, '
    '{"initialize": {…}, "tools": […]}, or the list of tools itself'
)

Ask: TypeAlias = Callable[[str | None], Awaitable[Mapping[str, Any]]]
"""Asks for a page by its cursor, `None` for the first; gives a result of tools/list."""


class Listing(Struct, frozen=True):
    """A server's information on itself, and its tools."""

    server_info: dict[str, Any]
    """Its `serverInfo`: name, version and more; empty when it is anonymous."""
    instructions: str
    """What it tells the model about itself; may be empty."""
    era: str
    """`legacy` (MCP up to 2025-11-25) or `modern`; empty when a saved answer does not tell."""
    version: str
    """The protocol version that was spoken; empty when a saved answer does not tell."""
    capabilities: dict[str, Any]
    """What it says that it can do, as it came."""
    tools: tuple[dict[str, Any], ...]
    """Its tools in its order, each with all that was said of it (MCP 2026-07-28, `Tool`)."""


async def follow(ask: Ask) -> tuple[dict[str, Any], ...]:
    """The tools of all pages; raises `ListingError`. An empty cursor ends the list, as none does."""
    tools: list[Any] = []
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await ask(cursor)
        tools += _tools_of(page)
        if len(tools) > MAX_TOOLS:
            raise ListingError(f"more than {MAX_TOOLS} tools")
        cursor = _next(page)
        if not cursor:
            return checked(tools)
        if cursor in seen:
            raise ListingError(f"its pages go in a circle: nextCursor {_short(cursor)} came twice")
        seen.add(cursor)
    raise ListingError(f"more than {MAX_PAGES} pages")


def checked(tools: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """`tools`, if each is an object with a name of its own; raises `ListingError`, naming the place."""
    places: dict[str, int] = {}
    valid: list[dict[str, Any]] = []
    for place, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise ListingError(f"tools[{place}] is {_kind(tool)}, not an object")
        name = tool.get("name")
        if not isinstance(name, str) or not name.strip():
            fault = "no name" if "name" not in tool else f"no proper name: {_short(name)}"
            raise ListingError(f"tools[{place}] has {fault}")
        if name in places:
            raise ListingError(f"tools[{places[name]}] and tools[{place}] are both {_short(name)}")
        places[name] = place
        _check_json(tool, f"tools[{place}] ({_short(name)})")
        valid.append(tool)
    return tuple(valid)


def described(begun: Mapping[str, Any], version: str, tools: tuple[dict[str, Any], ...]) -> Listing:
    """The listing of a server whose answer to `initialize` or `server/discover` was `begun`."""
    anonymous = _object(_object(begun.get("_meta")).get(_SERVER_INFO))
    instructions = begun.get("instructions")
    return Listing(
        server_info=_object(begun.get("serverInfo")) or anonymous,
        instructions=instructions if isinstance(instructions, str) else "",
        era=MODERN if version > max(HANDSHAKE_VERSIONS) else LEGACY,
        version=version,
        capabilities=_object(begun.get("capabilities")),
        tools=tools,
    )


def listing_of(value: Any) -> Listing:
    """A saved answer, parsed; raises `ListingError`. The forms are those of `read_listing`."""
    if isinstance(value, list):
        return structs.replace(described({}, "", checked(value)), era="")
    if not isinstance(value, dict):
        raise ListingError(f"is {_kind(value)}; {_FORMS}")
    if "tools" not in value and isinstance(value.get("result"), dict):
        value = value["result"]
    if "tools" not in value and "error" in value:
        raise ListingError(f"is an error that a server answered: {_short(value['error'], 200)}")
    if "tools" not in value:
        raise ListingError(f"has no tools; {_FORMS}")
    if _next(value):
        raise ListingError(
            "is one page of several (it has a nextCursor): save all tools in one list"
        )
    begun = value.get("initialize", {})
    if not isinstance(begun, dict):
        raise ListingError(f"initialize is {_kind(begun)}, not an object")
    listing = described(begun, _version(begun), checked(_tools_of(value)))
    if not listing.version:  # only the modern era has a resultType; a bare list has been in both
        return structs.replace(listing, era=MODERN if "resultType" in value else "")
    return listing


def _version(begun: Mapping[str, Any]) -> str:
    supported = begun.get("supportedVersions")
    last = supported[-1] if isinstance(supported, list) and supported else ""
    version = begun.get("protocolVersion", last)
    return version if isinstance(version, str) else ""


def _tools_of(page: Mapping[str, Any]) -> list[Any]:
    tools = page.get("tools")
    if not isinstance(tools, list):
        fault = f"tools is {_kind(tools)}, not a list" if "tools" in page else "there are no tools"
        raise ListingError(f"{fault} in the answer")
    return tools


def _next(page: Mapping[str, Any]) -> str | None:
    cursor = page.get("nextCursor")
    if cursor is not None and not isinstance(cursor, str):
        raise ListingError(f"nextCursor is {_kind(cursor)}, not a text")
    return cursor


def _check_json(tool: dict[str, Any], place: str) -> None:
    """Refuse values that some parsers accept and JSON cannot represent."""
    try:
        json.dumps(tool, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ListingError(
            f"{place} holds what no JSON text can: {type(error).__name__}"
        ) from error


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(value: Any) -> str:
    """The JSON type of a value."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _short(value: Any, longest: int = 60) -> str:
    text = ascii(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= longest else f"{text[:longest]}…"
