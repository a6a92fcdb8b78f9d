"""Builds the proxy from its parts and runs it until it is stopped. Edges are made only here."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from pep.callers.authentication import Callers
from pep.callers.session import SessionBook
from pep.config import PepConfig, Tls
from pep.front.app import App
from pep.front.health import Health
from pep.front.request_caller import ExchangeParts
from pep.front.tls import keep_fresh
from pep.judge.decision_client import DecisionClient
from pep.judge.parts import JudgeParts
from pep.judge.refusals import Refusals
from pep.judge.rounds import Rounds
from pep.judge.server_requests import ServerRequests
from pep.judge.tasks import TaskBook
from pep.listener import listen, listen_privately
from pep.load.background import Background
from pep.load.room import Room
from pep.ports import DecisionLink, Decisions, Workers
from pep.serving import Server, run
from pep.upstreams.dispatch import Dispatch
from pep.upstreams.http import Upstream
from pep.upstreams.stdio_http import StdioServers
from pep.workers.alone import Alone
from pep.workers.entrance import Entrance
from pep.workers.notes import Books
from pep.workers.peers import Peers
from pep.workers.position import Position
from tipstaff.common.lifelong import Lifelong
from tipstaff.common.random_hex import RandomHex

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
    position: Position | None = None,
) -> None:
    """Run until `stop` is set. `ready` is called once clients can connect.

    `offer` gets the function that takes over another configuration, of which only settings that are read
    with each request may differ. `pdp_address` is `unix:/path` or `host:port`, empty where `decisions` are
    had here. With `position` it is one of several workers. Raises `StartError` when it cannot listen.
    Open streams get `shutdown_grace_ms` to end.
    """
    listener = listen(config.listen, is_shared=position is not None)
    workers = Peers(position) if position is not None else Alone()
    decisions = decisions or _client(config, pdp_address)
    upstream = Dispatch(Upstream(config.upstream_connect_timeout_ms), StdioServers(time.monotonic))
    parts = _parts(config, decisions, upstream, workers, position)
    health = Health(lambda: decisions.is_connected, decisions.policy_status)
    app = App(parts, health=health.answer)

    if offer is not None:
        offer(_taking_over(parts, upstream, app))
    try:
        servers = _entrances(position, app, parts)
        servers.append(Server(app, config, listener, config.tls, ready or (lambda: None)))
        async with Lifelong() as work:
            work.start("the stream to the decision service", decisions.run())
            if (context := servers[-1].config.ssl) is not None:
                fresh = keep_fresh(context, config.tls, _CERTIFICATE_SECONDS)
                work.start("the watch over the certificates", fresh)
            if not await decisions.wait_connected(_PATIENCE_SECONDS):
                log.warning("decision service not there yet: refusing calls", address=pdp_address)
            await health.look()
            work.start("the health", health.watch())
            work.start("the end of idle servers", upstream.sweep())
            await run(servers, stop)
    finally:
        listener.close()
        await parts.callers.close()
        await parts.background.close(_PARTING_SECONDS)
        parts.refusals.close()
        await decisions.close()
        await upstream.close()
        await workers.close()


def _taking_over(parts: ExchangeParts, upstream: Dispatch, app: App) -> TakeOver:
    """What applies another configuration."""

    def take_over(changed: PepConfig) -> None:
        parts.callers.take_over(changed)
        upstream.take_over(changed.servers)
        app.take_over(changed)

    return take_over


def _client(config: PepConfig, address: str) -> DecisionClient:
    return DecisionClient(address, config.decision_timeout_ms, config.pdp_tls)


def _entrances(position: Position | None, app: App, parts: ExchangeParts) -> list[Server]:
    """What serves the other workers, where there are any."""
    if position is None:
        return []
    books = Books(parts.sessions, parts.server_requests, parts.judging.tasks)
    listener = listen_privately(position.socket_of(position.number))
    return [Server(Entrance(app, books), parts.config, listener, Tls())]


def _parts(
    config: PepConfig,
    decisions: Judge,
    upstream: Dispatch,
    workers: Workers,
    position: Position | None,
) -> ExchangeParts:
    """The parts that every exchange uses."""
    judging = JudgeParts(decisions, TaskBook(), _new_id, config.list_ttl_ms, workers=workers)
    return ExchangeParts(
        config=config,
        decisions=decisions,
        upstreams=upstream,
        sessions=SessionBook(),
        server_requests=ServerRequests(),
        callers=Callers(config, time.time, time.monotonic),  # noqa: TID251 - an edge's clock
        judging=judging,
        background=Background(),
        room=Room.of(config),
        refusals=Refusals(decisions.report_soon, time.monotonic),
        new_id=_new_id,
        rounds=Rounds(_rounds_key(config, position), time.time),  # noqa: TID251 - an edge's clock
    )


def _rounds_key(config: PepConfig, position: Position | None) -> bytes:
    """The key of the rounds: what a secret makes of it that others have as well, or one that only this process has."""
    secret = config.rounds_key or (position.secret if position is not None else "")
    if secret:
        return hashlib.sha256(b"tipstaff rounds\0" + secret.encode()).digest()
    return secrets.token_bytes(32)
