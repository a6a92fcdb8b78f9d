"""Opens the stores that the configuration names. Their libraries are loaded only when they are used."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from pdp.approvals.port import ApprovalStore
from pdp.approvals.store import SqliteApprovals
from pdp.clock import SystemClock
from pdp.config import PdpConfig
from pdp.limits.fallback import FallbackStore
from pdp.limits.store import MemoryStore, SqliteStore
from pdp.ports import StateStore


async def limit_store(config: PdpConfig, clock: SystemClock, stack: AsyncExitStack) -> StateStore:
    """The store of limits, closed with `stack`; raises `ConfigError` or `StoreError`."""
    limits = config.limits
    if limits.store == "memory":
        return MemoryStore()
    if limits.store == "redis":
        # The library is loaded only when this store is configured.
        from pdp.limits.redis import RedisStore  # noqa: PLC0415

        shared = RedisStore(limits.url, limits.timeout_ms)
        stack.push_async_callback(shared.close)
        await shared.reach()
        return FallbackStore(shared, limits.replicas)
    store = SqliteStore(
        Path(limits.path), clock.steady_ns() // 1000, is_full=limits.durable == "power"
    )
    stack.callback(store.close)
    return FallbackStore(store, limits.replicas)


def approval_store(config: PdpConfig, clock: SystemClock) -> ApprovalStore:
    """The store of approvals: where the limits are, too. Raises `ConfigError` or `StoreError`."""
    limits = config.limits
    if limits.store == "redis":
        from pdp.approvals.redis import RedisApprovals  # noqa: PLC0415

        return RedisApprovals(limits.url, limits.timeout_ms)
    path = None if limits.store == "memory" else Path(config.approvals.path)
    return SqliteApprovals(path, lambda: clock.steady_ns() // 1000)
