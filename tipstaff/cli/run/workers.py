"""The proxies of `tipstaff up --workers`: what each is told of its place among them."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import MutableMapping
from pathlib import Path

import structlog

from pep.workers.position import MOST, Position
from tipstaff.cli.configuration.config import Config
from tipstaff.cli.errors import OptionError

# Every worker of one `up` has it from its environment, as it has all other secrets.
_SECRET = "TIPSTAFF_WORKERS_SECRET"  # noqa: S105 - the name of a variable


def positions(count: int, folder: Path) -> list[Position]:
    """The places of `count` workers whose sockets stand in `folder`; raises `OptionError`."""
    if not 1 <= count <= MOST:
        raise OptionError(f"--workers {count}: 1 to {MOST} proxies can share a port")
    secret = secrets.token_hex(32)
    return [Position(number, count, folder, secret) for number in range(count)]


def options_of(place: Position) -> list[str]:
    """The options by which a worker's command is told its place."""
    return ["--worker", f"{place.number}/{place.count}"]


def variables_of(place: Position) -> dict[str, str]:
    """The variables that a worker gets beside those of its service."""
    return {_SECRET: place.secret}


def position(
    arguments: argparse.Namespace, config: Config, environment: MutableMapping[str, str]
) -> Position | None:
    """The place that `tipstaff up` has given this process; `None` for a proxy that is alone."""
    if arguments.worker is None:
        return None
    number, _, count = arguments.worker.partition("/")
    secret = environment.pop(_SECRET, "") or secrets.token_hex(32)
    structlog.contextvars.bind_contextvars(worker=int(number))
    return Position(int(number), int(count), config.run_folder, secret)
