"""Hands the signed bundle to OPA over loopback HTTP, at once when it changes (long polling).

OPA's bundle plugin speaks HTTP only, so this server listens on 127.0.0.1. It demands a bearer token,
and the bundle is signed with a key that only this process and its OPA hold: another process can
neither read the policy here nor replace it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re

from aiohttp import web

_MEDIA_TYPE = "application/vnd.openpolicyagent.bundles"  # tells OPA that long polling works
_WAIT = re.compile(r"wait=(\d+)")
_LONGEST_WAIT = 30


class BundleServer:
    """Serves one bundle; `publish` replaces it."""

    def __init__(self, token: str) -> None:
        """Serve nothing yet; `token` is what OPA must show."""
        self._authorization = f"Bearer {token}"
        self._data = b""
        self._etag = ""
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen on a free port of 127.0.0.1; returns the URL."""
        app = web.Application()
        app.router.add_get("/policy.tar.gz", self._serve)
        app.router.add_post("/status", _accept)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def publish(self, revision: str, data: bytes) -> None:
        """Serve `data` from now on, and answer the long polls that wait for it."""
        async with self._changed:
            self._data, self._etag = data, f'"{revision}"'
            self._changed.notify_all()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "")
        if not hmac.compare_digest(shown.encode(), self._authorization.encode()):
            return web.Response(status=401)
        known = request.headers.get("If-None-Match", "")
        if known == self._etag:
            await self._wait_for_change(known, request.headers.get("Prefer", ""))
        headers = {"ETag": self._etag, "Content-Type": _MEDIA_TYPE}
        if known == self._etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._data, headers=headers)

    async def _wait_for_change(self, known: str, preference: str) -> None:
        wait = _WAIT.search(preference)
        seconds = min(int(wait.group(1)), _LONGEST_WAIT) if wait else 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._etag != known)


async def _accept(request: web.Request) -> web.Response:
    """Accept the status that OPA pushes to its bundle server, and drop it: `reload` polls the status instead."""
    del request
    return web.Response()
