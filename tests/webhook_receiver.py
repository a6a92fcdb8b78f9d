"""A web server that a webhook is sent to, for tests."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """A web server that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append(
            ({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        return await self.answers.pop(0)(request) if self.answers else web.Response(status=204)

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        try:
            yield self
        finally:
            await runner.cleanup()
