"""`tipstaff up`: starts the decision service and the proxy, keeps them running, stops them cleanly."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from pdp import state_lock
from pdp.errors import ConfigError
from pdp.state_lock import Holder, StateLock
from pep.listener import reserve
from tipstaff.cli import console
from tipstaff.cli.configuration import config_checks
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.configuration.secret import resolved_console, resolved_pdp, resolved_pep
from tipstaff.cli.run import running
from tipstaff.cli.run.child import Child, ChildFailed
from tipstaff.cli.run.reload import watch
from tipstaff.cli.run.services import opa_binary
from tipstaff.cli.run.workers import positions
from tipstaff.common.lifelong import Lifelong

log = structlog.get_logger("tipstaff.up")


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff up`."""
    config = load(arguments.config)
    for finding in config_checks.warnings(config):
        log.warning(finding.message, key=finding.key, line=finding.line)
    opa = opa_binary(config, arguments.opa)
    if not config.pep.servers:
        return console.fail(
            f"{arguments.config}: no server is registered: add a section "
            '[servers.NAME] with url = "http://…/mcp"'
        )
    is_understood = bool(config.pdp.tls.certificate) == bool(config.pep.pdp_tls.server_ca)
    if not is_understood and not arguments.inline:
        return console.fail(
            f"{arguments.config}: the proxy and the decision service would not understand each other: "
            "write both [pdp.tls] and [pep.pdp_tls]"
        )
    if arguments.inline and arguments.workers > 1:
        return console.fail(
            "--workers is for proxies beside the decision service: leave out --inline"
        )
    holder = Holder(os.getpid(), "tipstaff up", str(config.source))
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(state_lock.held(config.state_dir, holder))
        if arguments.workers > 1:
            stack.enter_context(reserve(config.pep.listen))
        services = _services(config, opa, lock, arguments)
        try:
            asyncio.run(_run(config, opa, services))
        except ChildFailed as failure:
            return failure.code or 1
    return 0


def _services(
    config: Config, opa: Path, lock: StateLock, arguments: argparse.Namespace
) -> list[list[Child]]:
    """The services, in the order of their start; those of one list start together."""
    if arguments.inline:
        return [[Child("gate", config, opa, lock)]]
    places = positions(arguments.workers, config.run_folder)
    if len(places) == 1:
        proxies = [Child("pep", config, opa)]
    else:
        proxies = [Child("pep", config, opa, place=place) for place in places]
    return [[Child("pdp", config, opa, lock)], proxies]


async def _run(config: Config, opa: Path, services: list[list[Child]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    children = [child for together in services for child in together]
    site = Reloading(config, children)
    loop.add_signal_handler(signal.SIGHUP, site.reload)
    running.note("up", config)
    try:
        for together in services:
            started = asyncio.create_task(_start(together))
            await _first(started, stop)
            if stop.is_set():
                return
        if config.console.port:
            services.append([await _console(config, opa)])
            children += services[-1]
        _print_urls(config)
        async with Lifelong() as work:
            for child in children:
                work.start(f"the keeper of {child.name}", child.keep_running())
            work.start("the watch over the configuration", watch(lambda: site.config))
            await stop.wait()
    finally:
        running.forget("up", config)
        for together in reversed(services):
            await asyncio.gather(*(child.end() for child in together))


async def _start(together: Sequence[Child]) -> None:
    """Start them; when one fails, the others are not waited for."""
    starting = [asyncio.ensure_future(child.start()) for child in together]
    try:
        await asyncio.gather(*starting)
    finally:
        for each in starting:
            each.cancel()
        await asyncio.gather(*starting, return_exceptions=True)


async def _console(config: Config, opa: Path) -> Child:
    """The console, which is tried again later where it cannot be started: calls are judged without it."""
    child = Child("console", config, opa)
    await child.start_again()
    return child


class Reloading:
    """The services of this `up`, and the configuration by which they run."""

    def __init__(self, config: Config, children: Sequence[Child]) -> None:
        self.config = config
        self._children = children

    def reload(self) -> None:
        """Reload both services, unless the configuration cannot be used."""
        try:
            config = load(self.config.source)
            config_checks.warnings(config)
            self._check_hands_on(config)
            running.note("up", config)
        except ConfigError as error:
            log.error("configuration not taken over; the old one goes on", error=str(error))
            return
        self.config = config
        for child in self._children:
            child.reload(config)

    def _check_hands_on(self, config: Config) -> None:
        """Raises `ConfigError` for what a service could not take over, so that none does half of it."""
        if config.state_dir != self.config.state_dir:
            raise ConfigError("another state_dir needs a restart")
        resolved_pdp(config.pdp)
        resolved_pep(config.pep)
        resolved_console(config.console)
        lacking = sorted({name for child in self._children for name in child.lacking(config)})
        if lacking:
            raise ConfigError(
                f"the services were started without the variable {', '.join(lacking)}: a restart hands it "
                "to them; `file:PATH` needs none"
            )


async def _first(started: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Wait for the start, or for the order to stop; a failed start raises."""
    stopped = asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait((started, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if started in done:
        await started


def _answers(config: Config) -> str:
    """How people answer for held calls."""
    if not config.console.port:
        return "tipstaff approvals list, or in a browser: tipstaff console serve"
    return (
        f"tipstaff approvals list, or http://127.0.0.1:{config.console.port}/"
        "   (tipstaff console login)"
    )


def _print_urls(config: Config) -> None:
    console.out.print("[bold]Tipstaff is up.[/] Point MCP clients at:")
    for server in config.pep.servers:
        console.out.print(f"  {server.name:16} {config.pep.resource(server)}", markup=False)
    console.out.print(
        f"Records:  {config.pdp.journal.path}   (tipstaff log -f)\n"
        f"Answers:  {_answers(config)}\n"
        f"Rules:    {config.pdp.policy.dir}   (edits take effect at once)\n"
        f"Settings: {config.source}   (edits take effect with: kill -HUP {os.getpid()})\n"
        "Stop with Ctrl-C.",
        markup=False,
    )
    sys.stdout.flush()
