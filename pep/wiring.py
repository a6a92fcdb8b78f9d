"""Builds the proxy from its parts and runs it until it is stopped. Edges are made only here."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog
import uvicorn

from pep.callers.authentication import Callers
from pep.callers.session import SessionBook
from pep.config import PepConfig, listen_address
from pep.errors import StartError
from pep.front.app import App
from pep.front.connection import with_timeouts
from pep.front.health import Health
from pep.front.request_caller import ExchangeParts
from pep.front.tls import keep_fresh
from pep.judge.decision_client import DecisionClient
from pep.judge.parts import JudgeParts
from pep.judge.refusals import Refusals
from pep.judge.rounds import Rounds
from pep.judge.server_requests import ServerRequests
from pep.judge.tasks import TaskBook
from pep.load.background import Background
from pep.load.room import Room
from pep.ports import DecisionLink, Decisions
from pep.upstreams.dispatch import Dispatch
from pep.upstreams.http import Upstream
from pep.upstreams.stdio_http import StdioServers
from tipstaff.common.lifelong import EndedError, Lifelong
from tipstaff.common.random_hex import RandomHex

_BACKLOG = 2048
# How long the start waits for the decision service; without it the proxy starts, and refuses.
_PATIENCE_SECONDS = 5.0
_CERTIFICATE_SECONDS = 1.0
_PARTING_SECONDS = 0.5

TakeOver = Callable[[PepConfig], None]


class Judge(Decisions, DecisionLink, Protocol):
    """Where decisions come from."""


_new_id = RandomHex(16)

log = structlog.get_logger("pep")


async def serve(
    config: PepConfig,
    *,
    pdp_address: str = "",
    stop: asyncio.Event,
    ready: Callable[[], None] | None = None,
    offer: Callable[[TakeOver], None] | None = None,
    decisions: Judge | None = None,
) -> None:
    """Run until `stop` is set. `ready` is called once clients can connect.

    `offer` gets the function that takes over another configuration, of which only settings that are read
    with each request may differ. `pdp_address` is `unix:/path` or `host:port`, empty where `decisions` are
    had here. Raises `StartError` when it cannot listen. Open streams get `shutdown_grace_ms` to end.
    """
    listener = _listen(config.listen)
    decisions = decisions or _client(config, pdp_address)
    upstream = Dispatch(Upstream(config.upstream_connect_timeout_ms), StdioServers(time.monotonic))
    parts = _parts(config, decisions, upstream)
    health = Health(lambda: decisions.is_connected, decisions.policy_status)
    app = App(parts, health=health.answer)

    def take_over(changed: PepConfig) -> None:
        parts.callers.take_over(changed)
        upstream.take_over(changed.servers)
        app.take_over(changed)

    if offer is not None:
        offer(take_over)
    server = _Server(_uvicorn_config(app, config), ready or _nothing)
    try:
        server.config.load()
        async with Lifelong() as work:
            work.start("the stream to the decision service", decisions.run())
            if server.config.ssl is not None:
                fresh = keep_fresh(server.config.ssl, config.tls, _CERTIFICATE_SECONDS)
                work.start("the watch over the certificates", fresh)
            if not await decisions.wait_connected(_PATIENCE_SECONDS):
                log.warning("decision service not there yet: refusing calls", address=pdp_address)
            await health.look()
            work.start("the health", health.watch())
            work.start("the end of idle servers", upstream.sweep())
            await _run(server, listener, stop)
    finally:
        listener.close()
        await parts.callers.close()
        await parts.background.close(_PARTING_SECONDS)
        parts.refusals.close()
        await decisions.close()
        await upstream.close()


def _client(config: PepConfig, address: str) -> DecisionClient:
    return DecisionClient(address, config.decision_timeout_ms, config.pdp_tls)


def _parts(config: PepConfig, decisions: Judge, upstream: Dispatch) -> ExchangeParts:
    """The parts that every exchange uses."""
    return ExchangeParts(
        config=config,
        decisions=decisions,
        upstreams=upstream,
        sessions=SessionBook(),
        server_requests=ServerRequests(),
        callers=Callers(config, time.time, time.monotonic),  # noqa: TID251 - an edge's clock
        judging=JudgeParts(decisions, TaskBook(), _new_id, config.list_ttl_ms),
        background=Background(),
        room=Room.of(config),
        refusals=Refusals(decisions.report_soon, time.monotonic),
        new_id=_new_id,
        rounds=Rounds(_rounds_key(config), time.time),  # noqa: TID251 - an edge's clock
    )


def _rounds_key(config: PepConfig) -> bytes:
    """The key of the rounds: what the configured secret makes of it, or one that only this process has."""
    if config.rounds_key:
        return hashlib.sha256(b"tipstaff rounds\0" + config.rounds_key.encode()).digest()
    return secrets.token_bytes(32)


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers, and with a call when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


async def _run(server: _Server, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`; raises when the server ends before that."""
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            log.critical("the process ends, because a part of it has failed", part="the listener")
    finally:
        stopping.cancel()
        has_ended_by_itself = serving.done()
        server.should_exit = True
        await serving
    if has_ended_by_itself and not stop.is_set():
        raise EndedError("the listener has ended")


def _uvicorn_config(app: App, config: PepConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=with_timeouts(
            head=config.head_timeout_ms / 1000, write=config.write_timeout_ms / 1000
        ),
        ssl_certfile=config.tls.certificate or None,
        ssl_keyfile=config.tls.key or None,
        ssl_ca_certs=config.tls.client_ca or None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if config.tls.client_ca else ssl.CERT_NONE,
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


def _listen(address: str) -> socket.socket:
    host, port = listen_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = "the port is in use. Stop what listens there, or set [pep] listen to another"
        else:
            hint = error.strerror or str(error)
        raise StartError(f"cannot listen on {address}: {hint}") from error


def _nothing() -> None:
    """Do nothing, as the default for callbacks."""
