"""Sends a request to an upstream server and hands its answer back as it comes. Edge: aiohttp.

One seam, `Upstream.send`. Nothing is added to the request and nothing is undone in the answer: no
default headers, no cookies, no proxies from the environment, no redirects, no decompression. There
is no limit on how long an answer may take, because a tool may; only on how long connecting may.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterable
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from pep.config import Server
from pep.mcp.headers import HeaderLines
from pep.ports import LostError, NeverReachedError, NeverSentCancelledError

# Shorter than the 5 s after which uvicorn, which most Python servers run on, closes an idle
# connection: a request must not be sent into one that is just being closed.
_KEEPALIVE_SECONDS = 3.0
_MAX_HEADER_BYTES = 64 * 1024
_LARGE_BYTES = 256 * 1024
# Informational answers (RFC 9110 section 15.2) that are read before the final one must come.
_MOST_INTERIM = 16


# Whether the request of this task may have reached its server.
_is_sent: ContextVar[bool] = ContextVar("is_sent", default=False)


class HttpAnswer(Struct, frozen=True):
    """An answer that has begun."""

    status: int
    lines: tuple[tuple[bytes, bytes], ...]
    source: aiohttp.ClientResponse

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive, still compressed if they were; raises `LostError`."""
        try:
            async for chunk in self.source.content.iter_any():
                yield chunk
        except aiohttp.ClientError as error:
            raise LostError(_why(error)) from error

    def close(self) -> None:
        """End the answer: a connection with unread bytes is closed at once, another is kept."""
        self.source.close()


class _PlainRequest(aiohttp.ClientRequest):
    """A request with the caller's header lines and no others."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        """Send the request; from now on the server may see it."""
        _is_sent.set(True)
        return await super().send(conn)

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add nothing: no User-Agent, no Accept, no Accept-Encoding."""


class _Protocol(ResponseHandler):
    """A connection on which informational answers are bounded; aiohttp reads any number."""

    interim = 0

    def data_received(self, data: bytes) -> None:
        """Take more bytes, unless the connection has been given up."""
        if self.interim <= _MOST_INTERIM:
            super().data_received(data)

    def feed_data(self, data: tuple[Any, Any], size: int = 0) -> None:
        """Take a parsed answer, unless the connection has been given up in the same bytes."""
        if self.interim > _MOST_INTERIM:
            return
        self.interim = 0 if data[0].code >= 200 else self.interim + 1
        if self.interim <= _MOST_INTERIM:
            super().feed_data(data, size)
        elif self.transport is not None:
            self.set_exception(aiohttp.ClientPayloadError("too many answers that announce another"))
            self.transport.abort()


class _Connector(aiohttp.TCPConnector):
    """Connections of our own kind."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment]


class Upstream:
    """All upstream servers."""

    def __init__(self, connect_timeout_ms: int) -> None:
        """Make a pool without a limit: no call may wait for another."""
        seconds = connect_timeout_ms / 1000
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, connect=seconds, sock_read=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_PlainRequest,
            auto_decompress=False,
            trust_env=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )

    async def send(
        self,
        method: str,
        server: Server,
        lines: HeaderLines,
        body: bytes | None,
        caller: str,  # noqa: ARG002 - one server serves all
    ) -> HttpAnswer:
        """Send, and wait for the answer's headers; raises `NeverReachedError` or `LostError`.

        Cancelling closes the connection.
        """
        _is_sent.set(False)
        headers = CIMultiDict((name.decode(), value.decode()) for name, value in lines)
        try:
            source = await self._session.request(
                method,
                _parsed(server.url),
                headers=headers,
                data=_payload(body),
                allow_redirects=False,
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NeverReachedError(str(error)) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LostError(_why(error)) from error
        except asyncio.CancelledError as error:
            if _is_sent.get():
                raise
            raise NeverSentCancelledError from error
        return HttpAnswer(source.status, source.raw_headers, source)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


def _why(error: Exception) -> str:
    """The fault in words that quote nothing: an error of aiohttp shows the request's headers."""
    reason = getattr(error, "strerror", None)
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """The body, written piece by piece when it is large, so that it does not hold up other calls."""
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BYTES else body


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    """The URL as configured, not normalised."""
    return URL(url, encoded=True)
