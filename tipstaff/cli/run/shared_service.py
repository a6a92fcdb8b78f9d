"""The decision service that several wrappers of one state folder, and `up` beside them, share.

Whoever gets the lock on the folder runs it; the others ask it. When it ends, with its owner or without,
the next wrapper that notices gets the lock and runs one. Meanwhile every call is denied.
"""

from __future__ import annotations

import asyncio

import structlog

from pdp import state_lock
from pdp.errors import ConfigError
from pdp.state_lock import Holder, StateInUse, StateLock
from pep.judge.decision_client import DecisionClient
from tipstaff.cli.configuration.config import Config
from tipstaff.cli.run import child
from tipstaff.cli.run.services import opa_binary
from tipstaff.common.back_off import BackOff

_LOOK_SECONDS = 0.3
_READY_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0

log = structlog.get_logger("tipstaff.wrap")


class SharedService:
    """The shared decision service, as one wrapper sees it: run by somebody else, or by itself."""

    def __init__(
        self, config: Config, opa: str | None, decisions: DecisionClient, holder: Holder
    ) -> None:
        """See `find` and `keep`; `holder` is who we are."""
        self._config = config
        self._opa = opa
        self._decisions = decisions
        self._holder = holder
        self._lock: StateLock | None = None
        self._ours: child.Child | None = None
        self._pauses = BackOff(_FIRST_PAUSE, _LONGEST_PAUSE)

    async def find(self) -> None:
        """Find a service that answers, or start one; it need not be ready yet.

        Raises `ConfigError` when the folder is another configuration's, or cannot be used.
        """
        if not await self._decisions.wait_connected(_LOOK_SECONDS):
            await self._run_if_nobody_does()

    async def keep(self) -> None:
        """Start the service again whenever nobody runs it, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if await self._decisions.wait_connected(_LOOK_SECONDS):
                continue
            try:
                await self._run_if_nobody_does()
            except ConfigError as error:
                log.error("no decision service; calls are denied", error=str(error))
                await asyncio.sleep(_LONGEST_PAUSE)

    async def end(self) -> None:
        """End our own service, if it runs, and release the lock."""
        if self._ours is not None:
            await self._ours.end()
            self._ours = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _run_if_nobody_does(self) -> None:
        """Start a service when the folder is free; raises `ConfigError`."""
        if self._ours is not None and self._ours.is_running:
            return
        try:
            lock = self._lock or state_lock.take(self._config.state_dir, self._holder)
        except StateInUse as error:
            self._check_shared(error)
            return
        self._lock = lock
        log_file = self._config.state_dir / "wrap.log"
        self._ours = child.Child(
            "pdp", self._config, opa_binary(self._config, self._opa), lock, log_file
        )
        try:
            await self._ours.start()
        except child.ChildFailed:
            log.error("no decision service started; calls are denied", log=str(log_file))
            await self.end()
            await asyncio.sleep(self._pauses.after(0))
        else:
            self._pauses.reset()
            await self._decisions.wait_connected(_READY_SECONDS)

    def _check_shared(self, error: StateInUse) -> None:
        """Refuse a service that decides by another configuration."""
        holder = error.holder
        if holder is not None and holder.configuration != self._holder.configuration:
            raise ConfigError(f"{error}. It decides by {holder.configuration}") from error
