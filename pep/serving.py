"""Serves ASGI applications on sockets that listen, by uvicorn, until it is told to stop. Edge: asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
import uvicorn

from pep.config import PepConfig, Tls
from pep.front.connection import with_timeouts
from tipstaff.common.lifelong import EndedError

log = structlog.get_logger("pep")


class Server(uvicorn.Server):
    """uvicorn, without its signal handlers, and with a call when it listens."""

    def __init__(
        self,
        app: Callable[..., Any],
        config: PepConfig,
        listener: socket.socket,
        tls: Tls,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve `app` on `listener`; raises `OSError` or `ssl.SSLError` for TLS files that cannot be used."""
        super().__init__(_settings(app, config, tls))
        self.config.load()
        self.listener = listener
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()


async def run(servers: Sequence[Server], stop: asyncio.Event) -> None:
    """Serve until `stop`; raises `EndedError` when a server ends before that."""
    serving = [asyncio.ensure_future(each.serve(sockets=[each.listener])) for each in servers]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({*serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            log.critical("the process ends, because a part of it has failed", part="the listener")
    finally:
        stopping.cancel()
        has_ended_by_itself = any(each.done() for each in serving)
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*serving)
    if has_ended_by_itself and not stop.is_set():
        raise EndedError("the listener has ended")


def _settings(app: Callable[..., Any], config: PepConfig, tls: Tls) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=with_timeouts(
            head=config.head_timeout_ms / 1000, write=config.write_timeout_ms / 1000
        ),
        ssl_certfile=tls.certificate or None,
        ssl_keyfile=tls.key or None,
        ssl_ca_certs=tls.client_ca or None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if tls.client_ca else ssl.CERT_NONE,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, config.shutdown_grace_ms // 1000),
    )
