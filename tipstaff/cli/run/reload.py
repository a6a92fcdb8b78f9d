"""Reloads a service's configuration at SIGHUP, and applies what can change without a restart. Edge: files.

A configuration that cannot be used changes nothing: the log says what is wrong with it, and the old one
goes on. What needs a restart is told key by key, and stays as it was. Without SIGHUP nothing is taken over,
so that a file that is being written does no harm; that it has changed is told in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from msgspec import Struct

from pdp.errors import ConfigError
from tipstaff.cli import known_secrets
from tipstaff.cli.configuration import config_changes
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.configuration.config_changes import Change
from tipstaff.cli.configuration.secret import resolved_pdp, resolved_pep, secrets_of
from tipstaff.cli.run import running

_LOOK_SECONDS = 2.0

log = structlog.get_logger("tipstaff.reload")


class Part(Struct, frozen=True):
    """The part of the configuration that concerns one service."""

    service: str
    resolved: Callable[[Config], Any]
    """Its settings with their secrets; raises `ConfigError`."""
    live: Callable[[Any, Any], Any]
    """What runs, with all of what is wanted that needs no restart; raises `ValueError`."""
    changes: Callable[[Any, Any], Sequence[Change]]


PDP = Part(
    "pdp",
    lambda config: resolved_pdp(config.pdp),
    config_changes.live_pdp,
    config_changes.pdp_changes,
)
PEP = Part(
    "pep",
    lambda config: resolved_pep(config.pep),
    config_changes.live_pep,
    config_changes.pep_changes,
)


class Reload:
    """The configuration of one service, as it runs."""

    def __init__(self, part: Part, config: Config) -> None:
        """Read the secrets; raises `ConfigError`."""
        self._part = part
        self._config = config
        self._take_over: Callable[[Any], None] | None = None
        self.settings = part.resolved(config)
        known_secrets.hide(secrets_of(self.settings))

    @property
    def service(self) -> str:
        """The name of the service."""
        return self._part.service

    @property
    def config(self) -> Config:
        """The configuration that was read last."""
        return self._config

    def offer(self, take_over: Callable[[Any], None]) -> None:
        """Set the function that applies settings to the running service."""
        self._take_over = take_over
        self._note()

    def run(self) -> None:
        """Read the configuration and take over what can be: what SIGHUP asks for."""
        if self._take_over is None:
            log.warning("configuration not read again: the service is still starting")
            return
        try:
            config = load(self._config.source)
            changed = self._part.resolved(config)
            live = self._part.live(self.settings, changed)
        except (ConfigError, ValueError) as error:
            log.error("configuration not taken over; the old one goes on", error=str(error))
            return
        known_secrets.hide(secrets_of(live))
        changes = self._part.changes(self.settings, changed)
        self._take_over(live)
        for change in changes:
            if change.needs_restart:
                log.warning("needs a restart", key=change.key, service=self._part.service)
            else:
                log.info("taken over", key=change.key, what=change.what)
        self._config, self.settings = config, live
        self._note([change.key for change in changes if change.needs_restart])
        log.info("configuration read", service=self._part.service, changes=len(changes))

    def _note(self, waiting: Sequence[str] = ()) -> None:
        """Write by what it runs; where nothing can be written, as for a proxy alone, it runs all the same."""
        try:
            running.note(self._part.service, self._config, waiting)
        except ConfigError as error:
            log.warning(
                "`tipstaff status` will not tell by what this service runs", error=str(error)
            )


async def watch(config: Callable[[], Config]) -> None:
    """Tell in the log when the text of the configuration is another than that which runs; never ends."""
    last_logged = ""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = await asyncio.to_thread(running.digest_of, config().source)
        if now not in {last_logged, config().digest}:
            _tell(config())
        elif last_logged and now == config().digest != last_logged:
            log.info("tipstaff.toml is as it runs again", file=str(config().source))
        last_logged = now


def _tell(config: Config) -> None:
    """Say that the file is another than what runs, and whether it can be used."""
    file = str(config.source)
    try:
        config_now = load(config.source)
    except ConfigError as error:
        log.error(
            "tipstaff.toml has changed and cannot be used; the old one goes on", error=str(error)
        )
        return
    advice = running.outdated(config_now) or "a restart takes it over"
    log.warning("tipstaff.toml has changed; what runs is older", file=file, advice=advice)
