"""`tipstaff console`: serves the page where people answer, and makes ways in. Edge: processes, sockets."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from pdp.errors import ConfigError
from pep.judge.decision_channel import async_channel
from tipstaff.cli import console, known_secrets
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.configuration.secret import resolved_console
from tipstaff.cli.errors import OptionError
from tipstaff.cli.servers.definitions import SiteDefinitions
from tipstaff.common.lifelong import Lifelong
from tipstaff.console.app import Console
from tipstaff.console.approvals import Approvals
from tipstaff.console.audit import Audit
from tipstaff.console.config import DEFAULT_PORT
from tipstaff.console.login import addresses
from tipstaff.console.login.openid_login import OpenIdLogin
from tipstaff.console.news import News
from tipstaff.console.operations import Operations
from tipstaff.console.parts import Parts
from tipstaff.console.sessions import LOGIN_SECONDS, Person, Sessions

_HOST = "127.0.0.1"


def serve_command(arguments: argparse.Namespace) -> int:
    """`tipstaff console serve`."""
    config = load(arguments.config)
    listener = _listener(_port(arguments, config))
    port: int = listener.getsockname()[1]
    if arguments.ready_fd is None:
        _print_way_in(config, arguments.person, port)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(config, listener, port, arguments.ready_fd))
    return 0


def login_command(arguments: argparse.Namespace) -> int:
    """`tipstaff console login`."""
    config = load(arguments.config)
    console.out.print(_way_in(config, arguments.person, _port(arguments, config)), markup=False)
    return 0


def _port(arguments: argparse.Namespace, config: Config) -> int:
    return next(filter(None, (arguments.port, config.console.port)), DEFAULT_PORT)


def _print_way_in(config: Config, person: str, port: int) -> None:
    url = _way_in(config, person, port)
    console.out.print(f"The console is at http://{_HOST}:{port}/", markup=False)
    console.out.print(f"Log in, once, within {LOGIN_SECONDS // 60} minutes: {url}", markup=False)


def person_of(config: Config, name: str) -> Person | None:
    """The person of that name, `None` for one who may not come in."""
    people = config.pdp.approvals.people
    if not people:
        return Person(name, may_answer=True)
    known = next((person for person in people if person.id == name), None)
    return None if known is None else Person(name, known.role == "approver")


def _way_in(config: Config, name: str, port: int) -> str:
    """The address of one login; the secret stands behind `#`, so that it is in no log."""
    name = name or getpass.getuser()
    if person_of(config, name) is None:
        known = ", ".join(person.id for person in config.pdp.approvals.people)
        raise OptionError(f"{name!r} is none of [[approvals.people]]: --as one of {known}")
    secret = addresses.issue(Path(config.state_dir), name, time.time())
    return f"http://{_HOST}:{port}/login#t={secret}"


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((_HOST, port))
    except OSError as error:
        raise OptionError(
            f"cannot listen on {_HOST}:{port} ({error.strerror}): --port takes another"
        ) from error


async def _serve(config: Config, listener: socket.socket, port: int, ready_fd: int | None) -> None:
    channel = async_channel(config.pdp.listen, config.pep.pdp_tls)
    news, state = News(), Path(config.state_dir)
    parts = Parts(
        approvals=Approvals(channel, news),
        operations=Operations(channel, news),
        definitions=SiteDefinitions(config.source),
        openid=_openid(config, port),
        news=news,
        sessions=Sessions(),
        audit=Audit(state, time.time),
        state=state,
        port=port,
        people=_People(config),
        steady=time.monotonic,
        wall=time.time,
    )
    server = _Server(
        uvicorn.Config(
            Console(parts), ws="none", lifespan="off", interface="asgi3", log_config=None,
            log_level="critical", access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.end)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # people are read anew at each login
    async with Lifelong() as work:
        work.start("the watch over approvals", parts.approvals.watch())
        work.start("the watch over records", parts.operations.watch())
        if ready_fd is not None:
            os.write(ready_fd, b"ready\n")  # it listens already, and answers as soon as it is asked
            os.close(ready_fd)
        await server.serve(sockets=[listener])
    await channel.close()


def _openid(config: Config, port: int) -> OpenIdLogin | None:
    """Logins by the configured provider, if there is one; raises `ConfigError`."""
    openid = resolved_console(config.console).openid
    if not openid.issuer:
        return None
    known_secrets.hide([openid.client_secret])
    return OpenIdLogin(openid, port, time.monotonic, time.time)


class _People:
    """Who may come in, by the configuration as it is now; one that cannot be used leaves the last."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stamp: tuple[int, int] | None = None

    def __call__(self, name: str) -> Person | None:
        return person_of(self._current(), name)

    def are_named(self) -> bool:
        return bool(self._current().pdp.approvals.people)

    def _current(self) -> Config:
        source = self._config.source
        with contextlib.suppress(OSError, ConfigError):
            status = source.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._stamp = stamp
                self._config = load(source)
        return self._config


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """Stop, without waiting for open streams."""
        self.should_exit = self.force_exit = True
