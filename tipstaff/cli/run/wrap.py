"""`tipstaff wrap NAME -- COMMAND…`: stands between a client and the server that it starts itself."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import os
import secrets
import signal
import sys

from pdp.api.model import Principal, Session
from pdp.state_lock import Holder
from pep.front import pipes
from pep.front.wrap import Place, Wrap
from pep.judge.decision_client import DecisionClient
from pep.judge.parts import JudgeParts
from pep.judge.tasks import TaskBook
from pep.ports import LostError, NeverReachedError
from pep.upstreams import child
from pep.upstreams.child import Child
from tipstaff.cli import console
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.run.shared_service import SharedService
from tipstaff.common.lifelong import Lifelong

_START_SECONDS = 30.0


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff wrap`."""
    config = load(arguments.config)
    if not arguments.server_command:
        return console.fail("name the server's command: tipstaff wrap NAME -- COMMAND…")
    agent = arguments.agent or _user()
    return asyncio.run(_run(config, arguments, agent))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


async def _run(config: Config, arguments: argparse.Namespace, agent: str) -> int:
    decisions = _decisions(config)
    holder = Holder(os.getpid(), f"tipstaff wrap {arguments.name}", str(config.source))
    service = SharedService(config, arguments.opa, decisions, holder)
    try:
        async with Lifelong() as work:
            work.start("the stream to the decision service", decisions.run())
            await service.find()
            work.start("the decision service", service.keep())
            await decisions.wait_connected(_START_SECONDS)
            server = await child.start(
                arguments.name, arguments.server_command, os.environ, keep_stderr=False
            )
            parts = JudgeParts(decisions, TaskBook(), _new_id, config.pep.list_ttl_ms)
            return await _relay(server, parts, _place(config, arguments.name, agent))
    except NeverReachedError as error:
        return console.fail(str(error))
    finally:
        await decisions.close()
        await service.end()


def _decisions(config: Config) -> DecisionClient:
    """A client that, in the state folder's own socket, takes no other configuration's service."""
    is_ours = config.pdp.listen.startswith(f"unix:{config.run_folder}")
    return DecisionClient(
        config.pdp.listen,
        config.pep.decision_timeout_ms,
        config.pep.pdp_tls,
        configuration=str(config.source) if is_ours else "",
    )


def _place(config: Config, name: str, agent: str) -> Place:
    known = next((server for server in config.pep.servers if server.name == name), None)
    principal = Principal(f"local:{agent}", "local")
    session = Session(_new_id(), "stdio")
    most = config.pep.max_holding
    if known is None:
        seconds = config.pep.hold_seconds_of.get(principal.id, config.pep.hold_seconds)
        return Place(name, principal, session, hold_seconds=seconds, max_holding=most)
    seconds = config.pep.held_for(known, principal.id)
    return Place(name, principal, session, known.denial, known.tool_names, seconds, most)


async def _relay(server: Child, parts: JudgeParts, place: Place) -> int:
    """Until either side ends, or we are told to; the server's exit code, or 0 when it was us."""
    output = pipes.Output(sys.stdout.fileno())
    wrap = Wrap(parts, place, output.write, server.write)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    downward = asyncio.ensure_future(_client_speaks(wrap))
    upward = asyncio.ensure_future(_server_speaks(wrap, server))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({downward, upward, stopping}, return_when=asyncio.FIRST_COMPLETED)
        has_ended_itself = upward.done()
        ending = asyncio.ensure_future(server.end())
        if not stop.is_set():  # what it still says on its way out is for the client
            await asyncio.wait({upward, ending}, return_when=asyncio.FIRST_COMPLETED)
        code = await ending
        return code if has_ended_itself and code > 0 else 0
    finally:
        for task in (downward, upward, stopping):
            task.cancel()
        with contextlib.suppress(OSError):
            await asyncio.gather(downward, upward, stopping, return_exceptions=True)
        await wrap.close()


async def _client_speaks(wrap: Wrap) -> None:
    with contextlib.suppress(LostError, OSError):
        async for line in pipes.lines_of(sys.stdin.fileno()):
            await wrap.from_client(line)
        await wrap.settle()


async def _server_speaks(wrap: Wrap, server: Child) -> None:
    with contextlib.suppress(OSError):
        async for line in server.lines():
            await wrap.from_server(line)


def _new_id() -> str:
    return secrets.token_hex(16)
