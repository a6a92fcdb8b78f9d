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
from types import MappingProxyType
from typing import BinaryIO

import structlog

from pdp import state_lock
from pdp.errors import ConfigError
from pdp.private_files import open_private
from pdp.state_lock import Holder, StateLock
from tipstaff.cli import console
from tipstaff.cli.configuration import config_checks
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.configuration.secret import resolved_console, resolved_pdp, resolved_pep
from tipstaff.cli.run import running
from tipstaff.cli.run.environment import Service, environment
from tipstaff.cli.run.reload import watch
from tipstaff.cli.run.services import opa_binary
from tipstaff.common import child_process
from tipstaff.common.back_off import BackOff
from tipstaff.common.lifelong import Lifelong

_READY_SECONDS = 60.0
_STOP_SECONDS = 8.0
_COMMANDS = MappingProxyType({"pdp": ["pdp"], "pep": ["pep"], "console": ["console", "serve"]})
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_AFTER = 0.1, 5.0, 10.0

log = structlog.get_logger("tipstaff.up")


class ChildFailed(Exception):
    """A child ended before it was ready, after it logged why. Carries its exit code."""

    def __init__(self, code: int) -> None:
        """Keep the exit code."""
        super().__init__(code)
        self.code = code


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
    if bool(config.pdp.tls.certificate) != bool(config.pep.pdp_tls.server_ca):
        return console.fail(
            f"{arguments.config}: the proxy and the decision service would not understand each other: "
            "write both [pdp.tls] and [pep.pdp_tls]"
        )
    holder = Holder(os.getpid(), "tipstaff up", str(config.source))
    with state_lock.held(config.state_dir, holder) as lock:
        try:
            asyncio.run(_run(config, opa, lock))
        except ChildFailed as failure:
            return failure.code or 1
    return 0


async def _run(config: Config, opa: Path, lock: StateLock) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    children = [Child("pdp", config, opa, lock), Child("pep", config, opa)]
    site = Reloading(config, children)
    loop.add_signal_handler(signal.SIGHUP, site.reload)
    running.note("up", config)
    try:
        for child in children:
            started = asyncio.create_task(child.start())
            await _first(started, stop)
            if stop.is_set():
                return
        if config.console.port:
            children.append(await _console(config, opa))
        _print_urls(config)
        async with Lifelong() as work:
            for child in children:
                work.start(f"the keeper of {child.name}", child.keep_running())
            work.start("the watch over the configuration", watch(lambda: site.config))
            await stop.wait()
    finally:
        running.forget("up", config)
        for child in reversed(children):
            await child.end()


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


class Child:
    """One service as a child process."""

    def __init__(
        self,
        name: Service,
        config: Config,
        opa: Path,
        lock: StateLock | None = None,
        log_file: Path | None = None,
    ) -> None:
        """Start nothing yet: see `start`. What it says goes to `log_file`, else where ours goes.

        With `lock`, which is ours, it has the state folder, and so has every one that follows it.
        """
        self.name = name
        self._command = [sys.executable, "-m", "tipstaff", *_COMMANDS[name]]
        self._command += ["--config", str(config.source)]
        self._command += ["--opa", str(opa)] if name != "console" else []
        self._command += ["--lock-fd", str(lock.descriptor)] if lock else []
        self._descriptors = (lock.descriptor,) if lock else ()
        self._environment = environment(name, config, os.environ)
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._is_ready = False  # before that SIGHUP would end it, and it reads its files anyway

    async def start(self) -> None:
        """Start it and wait until it is ready; raises `ChildFailed`."""
        self._is_ready = False
        reader, writer = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, writer)
            unread = stack.enter_context(contextlib.ExitStack())
            unread.callback(os.close, reader)  # unless it comes to be read
            log_file = stack.enter_context(_log(self._log_file)) if self._log_file else None
            self._process = await child_process.start(
                [*self._command, "--ready-fd", str(writer)],
                self._environment,
                stdout=log_file,
                stderr=log_file,
                pass_fds=(writer, *self._descriptors),
            )
            unread.pop_all()
        if not await _says_ready(reader):
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:  # it hangs, and would be waited for in vain
                await self.end()
            raise ChildFailed(await self._process.wait())
        self._is_ready = True

    def lacking(self, config: Config) -> set[str]:
        """The variables that `config` names for it and that it was not started with."""
        return set(environment(self.name, config, os.environ)) - set(self._environment)

    def reload(self, config: Config) -> None:
        """Have it read the configuration anew; one that is started again finds no variable of the old."""
        self._environment = environment(self.name, config, os.environ)
        if self._process is not None and self.is_running and self._is_ready:
            self._process.send_signal(signal.SIGHUP)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def keep_running(self) -> None:
        """Start it again, with growing pauses, whenever it dies."""
        pauses = BackOff(_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_AFTER)
        await child_process.keep_running(self, pauses)

    async def ended(self) -> int | None:
        """See `Kept.ended`; `start` came first."""
        assert self._process is not None  # noqa: S101 - see above
        return await self._process.wait()

    def died(self, code: int | None, pause: float) -> None:
        """See `Kept.died`."""
        log.error("service died", service=self.name, exit_code=code, restart_in_seconds=pause)

    async def start_again(self) -> None:
        """See `Kept.start_again`; a service that is not ready has said why."""
        try:
            await self.start()
        except ChildFailed:
            return
        except OSError as error:  # no process, descriptor or memory: there may be some again
            log.error("service not started", service=self.name, error=error.strerror)
            return
        log.info("service is back", service=self.name)

    async def end(self) -> None:
        """Stop the service: SIGTERM, and SIGKILL when that does not suffice."""
        if self._process is not None and self.is_running:
            await child_process.end(self._process, patience=_STOP_SECONDS)


def _log(path: Path) -> BinaryIO:
    """Open the log file for appending, readable by its owner only; raises `ConfigError`."""
    try:
        return os.fdopen(open_private(path, os.O_WRONLY | os.O_APPEND), "ab")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


async def _says_ready(descriptor: int) -> bool:
    """Whether the child wrote that it is ready before it closed the pipe."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    with os.fdopen(descriptor, "rb") as pipe:
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        try:
            async with asyncio.timeout(_READY_SECONDS):
                return bool(await stream.readline())
        except TimeoutError:
            return False
        finally:
            transport.close()


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
