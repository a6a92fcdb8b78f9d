"""The proxies of `tipstaff up --workers`: what each is told of its place among them."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import MutableMapping

import structlog
from msgspec import Struct

from pep.workers.position import MOST, Position
from tipstaff.cli.configuration.config import Config
from tipstaff.cli.errors import OptionError

# Every worker of one `up` has it from its environment, as it has all other secrets.
_SECRET = "TIPSTAFF_WORKERS_SECRET"  # noqa: S105 - the name of a variable


class Seat(Struct, frozen=True):
    """The place of one worker: its number among `count`, and the secret that all of them have."""

    number: int
    count: int
    secret: str

    def options(self) -> list[str]:
        """The options of its command."""
        return ["--worker", f"{self.number}/{self.count}"]

    def environment(self) -> dict[str, str]:
        """The variables that it gets beside those of its service."""
        return {_SECRET: self.secret}


def seats(count: int) -> list[Seat]:
    """The places of `count` workers; raises `OptionError`."""
    if not 1 <= count <= MOST:
        raise OptionError(f"--workers {count}: 1 to {MOST} proxies can share a port")
    secret = secrets.token_hex(32)
    return [Seat(number, count, secret) for number in range(count)]


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
