"""Builds the decision service from its parts and runs it until it is stopped.

All edges are made here. Order of start: bind the address (it can be taken), open the files (they can
fail), build the rules (they can be wrong), start OPA, and last let callers in; so nothing is half
started. The caller of `serve` holds the lock on the state folder.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from msgspec import Struct

from pdp.api.v1 import (
    approvals_pb2,
    approvals_pb2_grpc,
    decision_pb2,
    decision_pb2_grpc,
    limits_pb2,
    limits_pb2_grpc,
    policy_pb2,
    policy_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
)
from pdp.approvals.approvals import Approvals
from pdp.clock import SystemClock
from pdp.config import ConfiguredPerson, PdpConfig, Webhook
from pdp.decide import Parts, judge, report
from pdp.explain import AT_ONCE, Explainer
from pdp.grpc.approvals import ApprovalService
from pdp.grpc.batching import LARGE_AT_ONCE, Batcher
from pdp.grpc.decisions import DecisionService
from pdp.grpc.health import HealthStates
from pdp.grpc.idempotency import Idempotency
from pdp.grpc.limits import LimitService
from pdp.grpc.listening import bound_server
from pdp.grpc.lists import Lists
from pdp.grpc.policy import PolicyService
from pdp.grpc.records import RecordService
from pdp.local import LocalService
from pdp.policy.bundle import library_folder
from pdp.policy.bundle_server import BundleServer
from pdp.policy.fault_log import LoggedEngine
from pdp.policy.known_answers import KnownAnswers
from pdp.policy.opa import OpaEngine
from pdp.policy.reload import Reloader
from pdp.policy.sidecar import Sidecar, supervise
from pdp.ports import StateStore
from pdp.private_files import make_folder
from pdp.records.journal import FileJournal
from pdp.records.newest import NewestRecords
from pdp.state_lock import Holder
from pdp.stores import approval_store, limit_store
from pdp.tools.catalogue import Catalogues
from pdp.tools.changed_tools_file import ChangesFile
from tipstaff.common import atomic_file
from tipstaff.common.lifelong import Lifelong
from tipstaff.common.random_hex import RandomHex

_START_SECONDS = 20.0
_GRACE_SECONDS = 2.0
_SERVICES = tuple(
    service.full_name
    for contract in (decision_pb2, policy_pb2, limits_pb2, approvals_pb2, records_pb2)
    for service in contract.DESCRIPTOR.services_by_name.values()
)

TakeOver = Callable[[PdpConfig], None]

log = structlog.get_logger("pdp")


async def serve(
    config: PdpConfig,
    *,
    opa: Path,
    run_folder: Path,
    holder: Holder,
    stop: asyncio.Event,
    ready: Callable[[], None],
    offer: Callable[[TakeOver], None],
    lend: Callable[[LocalService], None] = lambda _: None,
) -> None:
    """Run until `stop` is set. `ready` is called once calls can be judged.

    `lend` is called before that, with the service for callers in this process.

    `offer` is called with a function that takes over another configuration: only its labels and its
    principal factor, after which the rules are built again. `holder` holds the lock on the state folder.
    Raises `ConfigError`, `PolicyTextError`, `SidecarError`, `StoreError` or `JournalError` when it
    cannot start.
    """
    # Closed in reverse order: callers, then the background work, last the parts that both use.
    async with AsyncExitStack() as stack, Lifelong() as work, AsyncExitStack() as callers:
        make_folder(run_folder)
        server = bound_server(config, run_folder, holder, stack)
        clock = SystemClock()
        live = _Live(dict(config.labels), config.approvals.people)
        kept = await _kept(config, clock, live, stack)
        parts, reloader = await _policy(config, opa, run_folder, clock, kept, stack, work)
        offer(partial(_take_over, parts=parts, live=live, reloader=reloader))
        batcher = Batcher(
            lambda calls: judge(calls, parts),
            max_calls=config.batching.max_calls,
            in_flight=config.batching.in_flight,
            max_waiting=config.batching.max_waiting,
            max_waiting_per_caller=config.batching.max_waiting_per_caller,
            max_wait=config.batching.max_wait_ms / 1000,
        )
        work.start("the judging of calls", batcher.run())
        work.start("the watch over approvals", kept.approvals.run())
        _start_webhook(config.approvals.webhook, kept.approvals, clock, work)
        work.start("the watch over the rules", reloader.watch(config.policy.poll_seconds))
        decisions = _decisions(config, batcher, kept, parts)
        approvals = ApprovalService(kept.approvals, lambda: live.people)
        records_pb2_grpc.add_RecordServiceServicer_to_server(
            RecordService(kept.journal, secrets.token_hex(8)), server
        )
        lend(await _listen(server, config, decisions, reloader, parts, approvals, callers, work))
        ready()
        await stop.wait()


def _decisions(config: PdpConfig, batcher: Batcher, kept: _Kept, parts: Parts) -> DecisionService:
    return DecisionService(
        Idempotency(batcher, kept.store),
        partial(report, parts=parts),
        Explainer(parts, config.limits.replicas).explain,
        kept.approvals,
        Lists(batcher),
    )


class _Live(Struct):
    """The settings of approvals that may change while the service runs."""

    labels: dict[str, str]
    people: tuple[ConfiguredPerson, ...]


def _take_over(config: PdpConfig, *, parts: Parts, live: _Live, reloader: Reloader) -> None:
    parts.labels = live.labels = dict(config.labels)
    live.people = config.approvals.people
    parts.principal_factor = config.limits.principal_factor
    reloader.look_again()


_random_digits = RandomHex(10)


def new_decision_id() -> str:
    """An identifier that sorts by time: milliseconds, then 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{_random_digits()}"


class _Kept(Struct, frozen=True):
    """The state that outlives the process: counters, changed tools, records."""

    store: StateStore
    drift: ChangesFile
    journal: NewestRecords
    approvals: Approvals


async def _kept(config: PdpConfig, clock: SystemClock, live: _Live, stack: AsyncExitStack) -> _Kept:
    store = await limit_store(config, clock, stack)
    drift = ChangesFile(Path(config.policy.changes))
    journal = FileJournal(Path(config.journal.path))
    stack.callback(journal.close)
    kept = approval_store(config, clock)
    stack.push_async_callback(kept.close)
    records = NewestRecords(journal)
    return _Kept(store, drift, records, Approvals(kept, records, lambda: live.labels))


def _start_webhook(
    webhook: Webhook, approvals: Approvals, clock: SystemClock, work: Lifelong
) -> None:
    """Tell of approvals, where somebody wants to be told; raises `ConfigError`."""
    if webhook.url:
        from pdp.approvals.webhook import Sender  # noqa: PLC0415 - hardly any site has one

        work.start("the webhook", Sender(webhook, clock.wall_ns).run(approvals))


async def _policy(
    config: PdpConfig,
    opa: Path,
    run_folder: Path,
    clock: SystemClock,
    kept: _Kept,
    stack: AsyncExitStack,
    work: Lifelong,
) -> tuple[Parts, Reloader]:
    """Build the rules, start OPA, and wait until OPA reports them as active."""
    token, key = secrets.token_urlsafe(32), secrets.token_hex(32)
    key_file = run_folder / "bundle.key"
    atomic_file.replace(key_file, key.encode())
    server = BundleServer(token)
    url = await server.start()
    stack.push_async_callback(server.stop)
    sidecar = Sidecar(
        binary=opa,
        folder=run_folder / "opa",
        bundle_url=url,
        bundle_token=token,
        signing_key=key,
        gogc=config.opa.gogc,
        memory_limit=config.opa.memory_limit,
    )
    queries = config.batching.in_flight + LARGE_AT_ONCE + AT_ONCE
    known = KnownAnswers(config.opa.known_answers)
    engine = OpaEngine(sidecar.socket, config.opa.timeout_ms, queries, known.forget)
    stack.push_async_callback(engine.close)
    parts = _parts(config, LoggedEngine(engine), known, clock, kept)
    reloader = Reloader(
        folder=Path(config.policy.dir),
        library=library_folder(),
        opa=opa,
        key_file=key_file,
        server=server,
        engine=engine,
        catalogues=parts.catalogues,
    )
    await reloader.load()
    work.start("opa", supervise(sidecar))
    await reloader.confirm()
    return parts, reloader


def _parts(
    config: PdpConfig, engine: LoggedEngine, known: KnownAnswers, clock: SystemClock, kept: _Kept
) -> Parts:
    """The ports and settings that calls are judged with."""
    return Parts(
        engine=engine,
        store=kept.store,
        journal=kept.journal,
        drift=kept.drift,
        clock=clock,
        new_id=new_decision_id,
        catalogues=Catalogues(),
        unexpected=_tell_of,
        approvals=kept.approvals,
        labels=dict(config.labels),
        principal_factor=config.limits.principal_factor,
        known=known,
    )


def _tell_of(error: Exception) -> None:
    """Log an error that no part of a judgement may raise; its call has been denied."""
    log.error("a call could not be judged", error=repr(error), exc_info=error)


async def _listen(
    server: grpc.aio.Server,
    config: PdpConfig,
    decisions: DecisionService,
    reloader: Reloader,
    parts: Parts,
    approvals: ApprovalService,
    stack: AsyncExitStack,
    work: Lifelong,
) -> LocalService:
    health = HealthServicer()
    serving = asyncio.Event()
    policy = PolicyService(lambda: reloader.state, serving.is_set, parts)
    decision_pb2_grpc.add_DecisionServiceServicer_to_server(decisions, server)
    approvals_pb2_grpc.add_ApprovalServiceServicer_to_server(approvals, server)
    policy_pb2_grpc.add_PolicyServiceServicer_to_server(policy, server)
    limits_pb2_grpc.add_LimitServiceServicer_to_server(
        LimitService(parts.store, parts.clock), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if config.reflection:
        # Few want it, and every start would pay for it.
        from grpc_reflection.v1alpha import reflection  # noqa: PLC0415

        names = (*_SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
    await server.start()
    stack.push_async_callback(server.stop, _GRACE_SECONDS)
    engine = parts.engine
    assert isinstance(engine, LoggedEngine)  # noqa: S101 - made a few lines up
    states = HealthStates(engine.ready, health, serving, ("", *_SERVICES))
    await states.update()
    work.start("the health", states.keep())
    return LocalService(decisions, policy)
