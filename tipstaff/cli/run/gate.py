"""`tipstaff gate`: the decision service and the proxy in one process, which is what `up --inline` starts."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from pdp import state_lock
from pdp.local import LocalService
from pdp.state_lock import Holder, StateLock
from pdp.wiring import serve as serve_pdp
from pep.wiring import serve as serve_pep
from tipstaff.cli.configuration.config import load
from tipstaff.cli.run.inline import InlineDecisions
from tipstaff.cli.run.reload import PDP, PEP, Reload
from tipstaff.cli.run.services import announcer, opa_binary, until_stopped


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff gate`."""
    config = load(arguments.config)
    opa = opa_binary(config, arguments.opa)
    holder = Holder(os.getpid(), "tipstaff gate", str(config.source))
    deciding, judging = Reload(PDP, config), Reload(PEP, config)
    with state_lock.held(config.state_dir, holder, arguments.lock_fd) as lock:

        async def run(stop: asyncio.Event) -> None:
            ready = announcer(arguments.ready_fd)
            await _serve(deciding, judging, opa, lock, stop, ready)

        return until_stopped(run, deciding, judging, is_alone=arguments.ready_fd is None)


async def _serve(
    deciding: Reload,
    judging: Reload,
    opa: Path,
    lock: StateLock,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Run both until `stop` is set: the service first, and until after the proxy has ended."""
    lent: asyncio.Future[LocalService] = asyncio.get_running_loop().create_future()
    parting = asyncio.Event()
    service = asyncio.create_task(
        serve_pdp(
            deciding.settings,
            opa=opa,
            run_folder=deciding.config.run_folder,
            holder=lock.holder,
            stop=parting,
            ready=lambda: None,
            offer=deciding.offer,
            lend=lent.set_result,
        )
    )
    service.add_done_callback(lambda _: stop.set())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((lent, stopped), return_when=asyncio.FIRST_COMPLETED)
        if lent.done() and not stop.is_set():
            decisions = InlineDecisions(lent.result(), judging.settings.decision_timeout_ms)
            await serve_pep(
                judging.settings, stop=stop, ready=ready, offer=judging.offer, decisions=decisions
            )
    finally:
        stopped.cancel()
        lent.cancel()
        parting.set()
        await service
