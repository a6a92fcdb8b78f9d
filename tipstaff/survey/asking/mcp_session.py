"""One session with a server: begin in the newest era it speaks, list its tools, end.

Edge: the client of the MCP SDK over a transport that is given. The SDK's models drop what they do
not know, and refuse a whole list for one schema they do not like; so each answer is taken down
before they read it, and the list is made from that.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from importlib import metadata
from typing import Any, Literal

import anyio
from mcp import Client, MCPError
from mcp.client import ClientSession, Transport
from mcp.shared.message import SessionMessage
from mcp.types import (
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    Implementation,
    JSONRPCRequest,
    JSONRPCResponse,
    ListToolsRequest,
    PaginatedRequestParams,
    Result,
)
from pydantic import ValidationError

from tipstaff.cli.errors import ListingError
from tipstaff.survey.asking.answering import no_elicitation, no_roots, no_sampling
from tipstaff.survey.asking.failures import Complaint
from tipstaff.survey.asking.listing import Listing, described, follow
from tipstaff.survey.asking.streams import Heard, Reading

Mode = Literal["auto", "legacy"]

MOST_BYTES = 64 * 1024 * 1024
"""Bytes that are read of a server in all."""
MOST_ASKED = 64
"""Requests of a server that are answered in all."""
# What the SDK says where an HTTP answer held no error of MCP.
_STAND_INS = (
    "Server returned an error response",
    "Not Found",
    "Session terminated",
    "Redirect to ",
    "Unexpected content type",
    "server answered a request with 202",
)
# The SDK also logs what it raises; that would go to the terminal.
for _name in ("mcp", "client"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


async def tools_listed(
    transport: Transport, answers: list[dict[str, Any]], seconds: float, mode: Mode
) -> Listing:
    """What the server lists; the results that it gives are added to `answers` as they came.

    What it asks meanwhile is answered by `answering`, so that it shows what it shows to clients.
    A server that leaves the question of the era unanswered is asked to begin the old way after 10 s,
    which is the SDK's choice. Raises `TimeoutError`, `ListingError`, and what the SDK and the transport raise, in groups.
    """
    listing: Listing | None = None
    questions = _Questions()
    with anyio.move_on_after(seconds):
        try:
            async with Client(
                _overheard(transport, answers, questions),
                mode=mode,
                client_info=Implementation(name="tipstaff", version=metadata.version("tipstaff")),
                cache=None,
                list_roots_callback=no_roots,
                sampling_callback=no_sampling,
                elicitation_callback=no_elicitation,
            ) as client:
                listing = await _listing(client, answers)
        except Exception as problem:
            if listing is None:  # else it has told all, and only the leave-taking went wrong
                if questions.is_too_much:
                    raise ListingError(
                        f"it asks its client more than {MOST_ASKED} things"
                    ) from problem
                raise
    if listing is None:
        raise TimeoutError
    return listing


async def _listing(client: Client, answers: list[dict[str, Any]]) -> Listing:
    begun = answers[-1]
    tools: tuple[dict[str, Any], ...] = ()
    try:
        tools = await follow(partial(_page, client.session, answers))
    except MCPError as error:
        if error.code != METHOD_NOT_FOUND or client.server_capabilities.tools is not None:
            raise
    return described(begun, client.protocol_version, tools)


async def _page(
    session: ClientSession, answers: list[dict[str, Any]], cursor: str | None
) -> dict[str, Any]:
    params = PaginatedRequestParams(cursor=cursor) if cursor else None
    with contextlib.suppress(ValidationError):
        await session.send_request(ListToolsRequest(params=params), Result)
    return answers[-1]


class _Questions:
    """Counts the requests that a server sends to its client."""

    def __init__(self) -> None:
        self.count = 0

    @property
    def is_too_much(self) -> bool:
        return self.count > MOST_ASKED


@contextlib.asynccontextmanager
async def _overheard(
    transport: Transport, answers: list[dict[str, Any]], questions: _Questions
) -> AsyncIterator[tuple[Reading, Any]]:
    """The transport, with the server's answers kept and its requests counted."""
    async with transport as (read, write):

        async def receive() -> Heard:
            heard = await read.receive()
            message = heard.message if isinstance(heard, SessionMessage) else None
            if isinstance(message, JSONRPCResponse):
                answers.append(message.result)
            elif isinstance(message, JSONRPCRequest):
                questions.count += 1
                if questions.is_too_much:
                    raise anyio.EndOfStream
            return heard

        yield Reading(receive), write


def complaint_about(problem: BaseException, seconds: float) -> Complaint:
    """What came back, and what to do, where nothing tells more than what was said in MCP."""
    if isinstance(problem, ListingError):
        return (
            f"its list cannot be used: {problem}",
            "Who maintains it should know; nothing was taken from it.",
        )
    if isinstance(problem, TimeoutError) or _is(problem, REQUEST_TIMEOUT, "Request "):
        return f"it did not answer within {seconds:g} s", "Is it busy, or no MCP server?"
    if isinstance(problem, ValidationError) or _is(problem, PARSE_ERROR, "Failed to parse "):
        return "what it answered is not MCP", "Is it an MCP server?"
    if isinstance(problem, MCPError):
        return (
            f"it answered with the error {problem.code}: {problem.message}",
            "Its own log may say more.",
        )
    return (
        f"the conversation failed: {str(problem) or type(problem).__name__}",
        "Is it an MCP server?",
    )


def spoken(problem: BaseException) -> str:
    """The text of an error that the server itself gave, as far as that can be told."""
    if not isinstance(problem, MCPError) or problem.message.startswith(_STAND_INS):
        return ""
    return problem.message


def _is(problem: BaseException, code: int, beginning: str) -> bool:
    """Whether the error is one that the SDK makes itself, with a code that servers may use too."""
    return (
        isinstance(problem, MCPError)
        and problem.code == code
        and problem.message.startswith(beginning)
    )
