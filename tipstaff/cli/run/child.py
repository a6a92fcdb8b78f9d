"""One service as a child process of `tipstaff up`: started until it is ready, kept running, ended. Edge: processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import structlog

from pdp.errors import ConfigError
from pdp.private_files import open_private
from pdp.state_lock import StateLock
from pep.workers.position import Position
from tipstaff.cli.configuration.config import Config
from tipstaff.cli.run.environment import Service, environment
from tipstaff.cli.run.workers import options_of, variables_of
from tipstaff.common import child_process
from tipstaff.common.back_off import BackOff

_READY_SECONDS = 60.0
_STOP_SECONDS = 8.0
_COMMANDS = MappingProxyType(
    {"pdp": ["pdp"], "pep": ["pep"], "gate": ["gate"], "console": ["console", "serve"]}
)
_FIRST_PAUSE, _STEADY_AFTER = 0.1, 10.0
# Nothing is judged without the services; a console whose port is taken need not be tried all the time.
_LONGEST_PAUSE = MappingProxyType({"pdp": 5.0, "pep": 5.0, "gate": 5.0, "console": 60.0})

log = structlog.get_logger("tipstaff.up")


class ChildFailed(Exception):
    """A child ended before it was ready, after it logged why. Carries its exit code."""

    def __init__(self, code: int) -> None:
        """Keep the exit code."""
        super().__init__(code)
        self.code = code


class Child:
    """One service as a child process."""

    def __init__(
        self,
        name: Service,
        config: Config,
        opa: Path,
        lock: StateLock | None = None,
        log_file: Path | None = None,
        place: Position | None = None,
    ) -> None:
        """Start nothing yet: see `start`. What it says goes to `log_file`, else where ours goes.

        With `lock`, which is ours, it has the state folder, and so has every one that follows it. With
        `place` it is one of several workers.
        """
        self.name = name
        self._command = [sys.executable, "-m", "tipstaff", *_COMMANDS[name]]
        self._command += ["--config", str(config.source)]
        self._command += ["--opa", str(opa)] if name != "console" else []
        self._command += ["--lock-fd", str(lock.descriptor)] if lock else []
        self._command += options_of(place) if place else []
        self._descriptors = (lock.descriptor,) if lock else ()
        self._own_variables = variables_of(place) if place else {}
        self._environment = self._variables(config)
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
        return set(self._variables(config)) - set(self._environment)

    def _variables(self, config: Config) -> dict[str, str]:
        return environment(self.name, config, os.environ) | self._own_variables

    def reload(self, config: Config) -> None:
        """Have it read the configuration anew; one that is started again finds no variable of the old."""
        self._environment = self._variables(config)
        if self._process is not None and self.is_running and self._is_ready:
            self._process.send_signal(signal.SIGHUP)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def keep_running(self) -> None:
        """Start it again, with growing pauses, whenever it dies."""
        pauses = BackOff(_FIRST_PAUSE, _LONGEST_PAUSE[self.name], _STEADY_AFTER)
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
