"""Hands the signed bundle to OPA over loopback HTTP, at once when it changes (long polling). Edge: sockets.

OPA's bundle plugin speaks HTTP only, so this server listens on 127.0.0.1. It demands a bearer token,
and the bundle is signed with a key that only this process and its OPA hold: another process can
neither read the policy here nor replace it. It reads what OPA writes, and closes the connection at all else:
a framework would double what the service loads, and be a second stack to keep.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re

_MEDIA_TYPE = "application/vnd.openpolicyagent.bundles"  # tells OPA that long polling works
_WAIT = re.compile(r"wait=(\d+)")
_LONGEST_WAIT = 30
_MOST_HEAD_BYTES = 16 * 1024
_MOST_BODY_BYTES = 1024 * 1024  # of a status that OPA pushes
_REASONS = {200: "OK", 304: "Not Modified", 401: "Unauthorized", 404: "Not Found"}


class BundleServer:
    """Serves one bundle; `publish` replaces it."""

    def __init__(self, token: str) -> None:
        """Serve nothing yet; `token` is what OPA must show."""
        self._authorization = f"Bearer {token}"
        self._data = b""
        self._etag = ""
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    async def start(self) -> str:
        """Listen on a free port of 127.0.0.1; returns the URL."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=_MOST_HEAD_BYTES
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def publish(self, revision: str, data: bytes) -> None:
        """Serve `data` from now on, and answer the long polls that wait for it."""
        async with self._changed:
            self._data, self._etag = data, f'"{revision}"'
            self._changed.notify_all()

    async def stop(self) -> None:
        """Stop listening, and end what is under way."""
        self._is_stopped = True
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a connection is served by a task
        self._serving.add(task)
        try:
            with contextlib.suppress(OSError, ValueError, EOFError, asyncio.LimitOverrunError):
                while True:
                    writer.write(await self._answer(*await _request(reader)))
                    await writer.drain()
        except asyncio.CancelledError:  # asyncio's streams would log it as a fault
            if not self._is_stopped:
                raise
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, line: str, lines: dict[str, str]) -> bytes:
        shown = lines.get("authorization", "")
        if not hmac.compare_digest(shown.encode(), self._authorization.encode()):
            return _response(401)
        if line == "POST /status HTTP/1.1":
            return _response(200)  # what OPA pushes is dropped: `reload` polls the status instead
        if line != "GET /policy.tar.gz HTTP/1.1":
            return _response(404)
        known = lines.get("if-none-match", "")
        if known == self._etag:
            await self._wait_for_change(known, lines.get("prefer", ""))
        if known == self._etag:
            return _response(304, self._etag)
        return _response(200, self._etag, self._data)

    async def _wait_for_change(self, known: str, preference: str) -> None:
        wait = _WAIT.search(preference)
        seconds = min(int(wait.group(1)), _LONGEST_WAIT) if wait else 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._etag != known)


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The request line and the header lines by their names in lower case; a body is read over.

    Raises `EOFError` at the end of the connection, and `ValueError` for what OPA does not write.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    line, *rest = head[:-4].split("\r\n")
    if not line.endswith(" HTTP/1.1"):
        raise ValueError("not a request")
    lines = {}
    for each in rest:
        name, colon, value = each.partition(":")
        if not colon or name.lower() in lines:
            raise ValueError("not a header line, or one that came before")
        lines[name.lower()] = value.strip()
    if "transfer-encoding" in lines:
        raise ValueError("no body of unknown length is read")
    length = int(lines.get("content-length", "0"))
    if not 0 <= length <= _MOST_BODY_BYTES:
        raise ValueError("a body too large")
    await reader.readexactly(length)
    return line, lines


def _response(status: int, etag: str = "", body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(body)}"]
    if etag:
        lines += [f"ETag: {etag}", f"Content-Type: {_MEDIA_TYPE}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
