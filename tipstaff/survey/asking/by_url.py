"""Asks a server that listens at a URL. Edge: httpx2, below the client of the MCP SDK.

Nothing of this machine's environment goes along (no proxies, no netrc), and nothing is followed to
another origin, where the credentials would be a stranger's. What it may send is bounded.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
from mcp.client.streamable_http import streamable_http_client

from pep.config import Server
from pep.mcp.lines import MAX_LINE
from tipstaff.cli.errors import IntrospectionError, ListingError
from tipstaff.common.masking import without
from tipstaff.survey.asking import failures, old_transport
from tipstaff.survey.asking.failures import Complaint, Reply
from tipstaff.survey.asking.listing import Listing
from tipstaff.survey.asking.mcp_session import MOST_BYTES, complaint_about, spoken, tools_listed

_LEAVING_SECONDS = 2.0
_FOR_PEOPLE = frozenset({"text/plain", "application/json", "application/problem+json"})
_TOO_LONG = "Server-sent event exceeded"


class _TooMuchError(Exception):
    """More than is read of a server."""


class _CompressedError(Exception):
    """It compresses, though it was asked not to: what is bounded here could grow without bound."""


async def ask(server: Server, seconds: float) -> Listing:
    """What `server` lists; raises `IntrospectionError`."""
    watch = _Watch()
    answers: list[dict[str, Any]] = []
    async with _client(server, seconds, watch) as client:
        transport = streamable_http_client(
            server.url, http_client=client, max_sse_event_size=MAX_LINE
        )
        try:
            return await tools_listed(transport, answers, seconds, "auto")
        except Exception as error:  # noqa: BLE001 - whatever it is, no list has come
            outcome, advice = _complaint(failures.leaf(error), server, seconds, watch)
            if watch.reply and await old_transport.is_old(client, server.url, watch.reply.status):
                outcome, advice = old_transport.complaint_about(server.name, _shown_url(server))
    outcome = failures.plain(without(outcome, failures.secrets_of(server)))
    raise IntrospectionError(_tried(server), outcome, advice)


def _client(server: Server, seconds: float, watch: _Watch) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        headers=[*server.credentials, (b"accept-encoding", b"identity")],
        timeout=seconds,
        trust_env=False,
        follow_redirects=False,
        verify=ssl.create_default_context(),  # what the proxy trusts, and SSL_CERT_FILE
        event_hooks={"request": [_hasten_leaving], "response": [watch.see]},
    )


async def _hasten_leaving(request: httpx2.Request) -> None:
    """Who has the list does not wait long for the end of the session to be confirmed."""
    if request.method == "DELETE":
        request.extensions["timeout"] = httpx2.Timeout(_LEAVING_SECONDS).as_dict()


class _Watch:
    """Sees the heads of the answers to messages, which the SDK does not show, and counts bytes."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.is_too_much = False
        self._bytes = 0

    async def see(self, response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _CompressedError
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - of an async client
        response.stream = _Counted(response.stream, self)
        if response.request.method == "POST":
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            is_for_people = response.status_code >= 400 and kind in _FOR_PEOPLE
            text = (await response.aread()).decode(errors="replace") if is_for_people else ""
            self.reply = Reply(response.status_code, kind, _place(response), text)

    def count(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        if self._bytes > MOST_BYTES:
            self.is_too_much = True
            raise _TooMuchError


class _Counted(httpx2.AsyncByteStream):
    """A body that is given up when it grows too large."""

    def __init__(self, stream: httpx2.AsyncByteStream, watch: _Watch) -> None:
        self._stream = stream
        self._watch = watch

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._watch.count(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _place(response: httpx2.Response) -> str:
    """Where it redirects to; a query may hold what is nobody else's business."""
    location = response.headers.get("location", "")
    return (
        str(response.request.url.join(location).copy_with(query=None, userinfo=b""))
        if location
        else ""
    )


def _tried(server: Server) -> str:
    return f"cannot list the tools of {server.name!r} at {_shown_url(server)}"


def _shown_url(server: Server) -> str:
    parts = urlsplit(server.url)
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"


def _complaint(error: BaseException, server: Server, seconds: float, watch: _Watch) -> Complaint:
    """The first that tells most: too much, no connection, the head of an answer, what it said."""
    if watch.is_too_much or isinstance(error, _TooMuchError) or _TOO_LONG in spoken(error):
        return "it sent more than is read of a list of tools", "Is it an MCP server?"
    if isinstance(error, _CompressedError):
        return "it sent a compressed answer, though asked not to", "Switch that off in front of it."
    if isinstance(error, httpx2.TimeoutException):
        error = TimeoutError()
    if isinstance(error, httpx2.TransportError):
        return failures.of_connection(error, was_made=not isinstance(error, httpx2.ConnectError))
    if watch.reply is None or isinstance(error, ListingError | TimeoutError):
        return complaint_about(error, seconds)
    explanation = failures.of_reply(watch.reply, has_credentials=bool(server.credentials))
    if explanation is None:
        return complaint_about(error, seconds)
    outcome, advice = explanation
    reason = spoken(error) or watch.reply.text
    return (f"{outcome}: {reason}" if reason else outcome), advice
