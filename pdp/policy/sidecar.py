"""OPA as a child process: started locked down, started again when it dies, ended with the service.

Locked down means: one unix socket of mode 0600 in a 0700 folder; one signed bundle, which owns every
path, so that OPA refuses whatever else is written to it; no decision log of its own (the service writes
the records). The socket's folder keeps other users out, so a bearer token would add nothing: a process
that can open the socket could read the token.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from pdp.answer import UNREADABLE
from pdp.api.private import Private
from pdp.errors import SidecarError
from pdp.private_files import make_folder
from tipstaff.common import atomic_file, child_process
from tipstaff.common.back_off import BackOff
from tipstaff.common.child_process import keep_running

BUNDLE = "policy"
KEY = "local"
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_AFTER = 0.05, 2.0, 10.0
_STOP_SECONDS = 4.0
_LONGEST_LINE = 1024 * 1024
_LEVELS = {"warning": logging.WARNING, "error": logging.ERROR, "fatal": logging.ERROR}

log = structlog.get_logger("pdp.sidecar")


class _LogEntry(Struct):
    """One line of OPA's log."""

    msg: str
    level: str = ""


class Sidecar(Private, frozen=True):
    """How to run OPA: its binary, a private folder to run in, and where its bundle comes from."""

    SECRET = frozenset({"bundle_token", "signing_key"})

    binary: Path
    folder: Path
    bundle_url: str
    bundle_token: str
    signing_key: str
    gogc: int
    memory_limit: str

    @property
    def socket(self) -> Path:
        """OPA's unix socket."""
        return self.folder / "opa.sock"


def configuration(sidecar: Sidecar) -> str:
    """OPA's configuration; JSON is YAML."""
    return f"""services:
  local:
    url: {sidecar.bundle_url}
    credentials: {{bearer: {{token: "{sidecar.bundle_token}"}}}}
keys:
  {KEY}: {{algorithm: HS256, key: "{sidecar.signing_key}"}}
bundles:
  {BUNDLE}:
    service: local
    resource: policy.tar.gz
    persist: false
    polling: {{min_delay_seconds: 1, max_delay_seconds: 2, long_polling_timeout_seconds: 10}}
    signing: {{keyid: {KEY}}}
status: {{console: false, prometheus: false}}
"""


def arguments(sidecar: Sidecar) -> list[str]:
    """The command that runs OPA."""
    return [
        str(sidecar.binary),
        "run",
        "--server",
        f"--config-file={sidecar.folder / 'opa.yaml'}",
        f"--addr=unix://{sidecar.socket}",
        "--unix-socket-perm=600",
        "--skip-version-check",
        "--log-level=error",
        "--log-level-request=debug",
        "--shutdown-grace-period=2",
    ]


async def supervise(sidecar: Sidecar) -> None:
    """Keep OPA running until cancelled; raises `SidecarError` when it cannot be started even once.

    After a later failure OPA is started again for ever; meanwhile calls are denied and health is NOT_SERVING.
    """
    _prepare(sidecar)
    opa = _Opa(sidecar, await _start(sidecar))
    await keep_running(opa, BackOff(_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_AFTER))


class _Opa:
    """OPA's process, for `keep_running`."""

    def __init__(self, sidecar: Sidecar, process: asyncio.subprocess.Process) -> None:
        self._sidecar = sidecar
        self._process: asyncio.subprocess.Process | None = process

    async def ended(self) -> int | None:
        """See `Kept.ended`."""
        return None if self._process is None else await _run_to_its_end(self._process)

    def died(self, code: int | None, pause: float) -> None:
        """See `Kept.died`."""
        log.error("opa died", exit_code=code, restart_in_seconds=pause)

    async def start_again(self) -> None:
        """See `Kept.start_again`."""
        try:
            self._process = await _start(self._sidecar)
        except SidecarError as error:
            log.error("opa not started", error=str(error))
            self._process = None


async def _run_to_its_end(process: asyncio.subprocess.Process) -> int:
    """Wait for OPA's exit code; a cancelled wait ends OPA."""
    try:
        async with asyncio.TaskGroup() as group:
            # In a group, so that a failed relay ends the wait: a full pipe would block OPA silently.
            relay = group.create_task(_relay(process))
            code = await process.wait()
    except BaseException:
        relay.cancel()
        if process.returncode is None:
            await child_process.end(process, patience=_STOP_SECONDS)
        raise
    return code


def _prepare(sidecar: Sidecar) -> None:
    make_folder(sidecar.folder)
    atomic_file.replace(sidecar.folder / "opa.yaml", configuration(sidecar).encode())


async def _start(sidecar: Sidecar) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", str(sidecar.folder)),
        "GOGC": str(sidecar.gogc),
        "GOMEMLIMIT": sidecar.memory_limit,
    }
    try:
        return await child_process.start(
            arguments(sidecar),
            environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=sidecar.folder,
            longest_line=_LONGEST_LINE,
        )
    except OSError as error:
        raise SidecarError(f"cannot run {sidecar.binary}: {error.strerror}") from error


async def _relay(process: asyncio.subprocess.Process) -> None:
    """Write OPA's log lines into the service's log."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # longer than any line of OPA's; reading on keeps OPA from blocking
            continue
        if not line:
            return
        try:
            entry = msgspec.json.decode(line, type=_LogEntry)
        except UNREADABLE:
            entry = _LogEntry(msg=line.decode(errors="replace").strip())
        log.log(_LEVELS.get(entry.level, logging.INFO), "opa says", text=entry.msg)
