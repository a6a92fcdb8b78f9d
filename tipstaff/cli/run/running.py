"""Notes of running services: by which configuration each runs, in the folder of the sockets. Edge: files.

The text of the configuration may have changed since a service read it: the note tells by which text it
runs. A note whose writer has gone tells nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from pdp.errors import ConfigError
from pdp.private_files import make_folder
from tipstaff.cli.configuration.config import Config
from tipstaff.common import atomic_file

SERVICES = ("up", "pdp", "pep")


class Running(Struct, frozen=True):
    """A running service."""

    service: str
    pid: int
    configuration: str
    digest: str
    """The SHA-256 of the text of the configuration that it has read last."""
    since: int
    """When it read that, in seconds since the epoch."""
    waiting: tuple[str, ...] = ()
    """Keys of that text that take effect only with a restart."""


def note(service: str, config: Config, waiting: Iterable[str] = ()) -> None:
    """Write that this process is `service` and runs by `config`; raises `ConfigError`."""
    running = Running(
        service, os.getpid(), str(config.source), config.digest, int(time.time()), tuple(waiting)
    )
    path = _path(config, service)
    try:
        make_folder(config.run_folder)
        atomic_file.replace(path, msgspec.json.encode(running))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def forget(service: str, config: Config) -> None:
    """Remove the note of this process."""
    mine = running_of(service, config)
    if mine is not None and mine.pid == os.getpid():
        with contextlib.suppress(OSError):
            _path(config, service).unlink()


def running_of(service: str, config: Config) -> Running | None:
    """The service of this site, if it runs."""
    try:
        running = msgspec.json.decode(_path(config, service).read_bytes(), type=Running)
        os.kill(running.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return running if running.configuration == str(config.source) else None


def all_of(config: Config) -> list[Running]:
    """The services of this site that run."""
    services = (running_of(service, config) for service in SERVICES)
    return [running for running in services if running is not None]


def digest_of(path: Path) -> str:
    """The digest of a configuration's text as it is now; "" when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def outdated(config: Config) -> str:
    """Advice when services run by another text than `config`; "" when none does."""
    services = all_of(config)
    if not any(service.digest != config.digest for service in services):
        return ""
    whole = " and ".join(f"tipstaff {service.service}" for service in _first(services))
    pids = " ".join(str(service.pid) for service in _first(services))
    return f"{whole} runs by an older text of this file: `kill -HUP {pids}` takes the new one over"


def _first(services: list[Running]) -> list[Running]:
    """Those that are to be told: `up` hands it on to the others."""
    return [service for service in services if service.service == "up"] or services


def _path(config: Config, service: str) -> Path:
    return config.run_folder / f"{service}.json"
