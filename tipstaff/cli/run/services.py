"""Runs one service in this process until it is stopped: the decision service, or the proxy."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pdp import state_lock
from pdp.errors import ConfigError
from pdp.state_lock import Holder
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.run import running
from tipstaff.cli.run.install import OpaInstallError, find_opa, install_opa
from tipstaff.cli.run.reload import PDP, PEP, Reload, watch
from tipstaff.cli.run.workers import position

# Objects that are new since the last look of the garbage collector, before the next; Python's own
# 700 means one look in every few calls.
_COLLECT_AFTER = 3000


def pdp_command(arguments: argparse.Namespace) -> int:
    """`tipstaff pdp`."""
    from pdp.wiring import serve as serve_pdp

    config = load(arguments.config)
    opa = opa_binary(config, arguments.opa)
    reload = Reload(PDP, config)

    holder = Holder(os.getpid(), "tipstaff pdp", str(config.source))
    with state_lock.held(config.state_dir, holder, arguments.lock_fd) as lock:

        async def run(stop: asyncio.Event) -> None:
            await serve_pdp(
                reload.settings,
                opa=opa,
                run_folder=config.run_folder,
                holder=lock.holder,
                stop=stop,
                ready=announcer(arguments.ready_fd),
                offer=reload.offer,
            )

        return until_stopped(run, reload, is_alone=arguments.ready_fd is None)


def pep_command(arguments: argparse.Namespace) -> int:
    """`tipstaff pep`."""
    from pep.wiring import serve as serve_pep

    config = load(arguments.config)
    place = position(arguments, config, os.environ)
    reload = Reload(PEP, config)

    async def run(stop: asyncio.Event) -> None:
        await serve_pep(
            reload.settings,
            pdp_address=config.pdp.listen,
            stop=stop,
            ready=announcer(arguments.ready_fd),
            offer=reload.offer,
            position=place,
        )

    return until_stopped(run, reload, is_alone=arguments.ready_fd is None)


def install_command(arguments: argparse.Namespace) -> int:
    """`tipstaff opa install`."""
    from tipstaff.cli import console  # what a service does without

    try:
        path = install_opa(
            arguments.opa or os.environ.get("TIPSTAFF_OPA"),
            say=lambda text: console.err.print(text, markup=False),
        )
    except OpaInstallError as error:
        return console.fail(str(error))
    console.out.print(str(path), markup=False)
    return 0


def opa_binary(config: Config, explicit: str | None) -> Path:
    """The opa binary to run; raises `ConfigError`."""
    named = explicit or config.pdp.opa.path or os.environ.get("TIPSTAFF_OPA")
    try:
        binary = find_opa(named)
    except OpaInstallError as error:
        raise ConfigError(str(error)) from error
    if binary is None:
        raise ConfigError(
            "there is no opa binary here: run `tipstaff opa install`, or name one with --opa"
        )
    return binary


def until_stopped(
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]], *reloads: Reload, is_alone: bool
) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP has the configuration of each service here read anew.

    Who is alone tells of a changed configuration itself; else `tipstaff up` does.
    """
    import uvloop  # what `up` and `check`, which need this module too, do without

    def reload() -> None:
        for each in reloads:
            each.run()

    async def body() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload)
        watching = asyncio.ensure_future(watch(lambda: reloads[0].config)) if is_alone else None
        try:
            await run(stop)
        finally:
            if watching is not None:
                watching.cancel()
            for each in reloads:
                running.forget(each.service, each.config)

    uvloop.run(body())
    return 0


def announcer(descriptor: int | None) -> Callable[[], None]:
    """Tells a parent process, over a pipe, that the service is ready.

    What is there by then stays until the end: the garbage collector need not look at it each time.
    """

    def announce() -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        if descriptor is not None:
            os.write(descriptor, b"ready\n")
            os.close(descriptor)

    return announce
