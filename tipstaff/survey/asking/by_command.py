"""Asks a server that is started for it and speaks over its pipes.

It finds the environment that the proxy would give it (`pep.upstreams.stdio_pool`). Its arguments are not shown,
nor what its environment holds: people put secrets there.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
from collections.abc import Mapping
from typing import Any

from pep.config import Server
from tipstaff.cli.errors import IntrospectionError, ListingError
from tipstaff.common.child_process import environment_with, lacks
from tipstaff.common.masking import without
from tipstaff.survey.asking import failures
from tipstaff.survey.asking.failures import Complaint
from tipstaff.survey.asking.listing import Listing
from tipstaff.survey.asking.mcp_session import Mode, complaint_about, tools_listed
from tipstaff.survey.asking.spawned import Spawned, running

_BY_ITSELF = (
    "Does the command run by itself, as an MCP server over stdio? It finds PATH, HOME and the like "
    "in its environment, and what `environment` names."
)


class _EndedEarlyError(IntrospectionError):
    """The server ended before it answered anything."""


async def ask(server: Server, seconds: float) -> Listing:
    """The listing of `server`; raises `IntrospectionError`."""
    environment = environment_of(server)
    _check_program(server, environment)
    try:
        return await _attempt(server, environment, seconds, "auto")
    except _EndedEarlyError:
        # Some servers end at a first message other than `initialize`, and `server/discover` is new.
        return await _attempt(server, environment, seconds, "legacy")
    except (OSError, ValueError) as error:
        raise IntrospectionError(_tried(server), "it cannot be started", f"{error}.") from None


def environment_of(server: Server) -> dict[str, str]:
    """The environment of the server's process, as behind the proxy; references are resolved."""
    return environment_with(server.environment)


def _check_program(server: Server, environment: Mapping[str, str]) -> None:
    """Refuse a missing program: an interpreter of ours starts it, so it would look like the server's failure."""
    match lacks(server.command[0], environment.get("PATH", os.defpath)):
        case "permission":
            outcome, advice = "that cannot be run", "Is it the right file, and executable?"
        case "file":
            outcome, advice = "there is no such program", "Is it installed, and on the PATH?"
        case _:
            return
    raise IntrospectionError(_tried(server), outcome, advice)


async def _attempt(
    server: Server, environment: Mapping[str, str], seconds: float, mode: Mode
) -> Listing:
    answers: list[dict[str, Any]] = []
    async with running(server, environment) as process:
        try:
            return await tools_listed(process.transport(), answers, seconds, mode)
        except Exception as error:  # noqa: BLE001 - whatever it is, no list has come
            problem = failures.leaf(error)
            code = await process.own_exit()
    outcome, advice = _complaint(problem, process, code, seconds)
    secrets = failures.secrets_of(server)
    last_output = [
        line
        for text in (process.noise, process.errors)
        for line in failures.last_lines(without(text, secrets))
    ]
    has_ended_early = code is not None and not answers
    kind = _EndedEarlyError if has_ended_early else IntrospectionError
    raise kind(_tried(server), failures.plain(without(outcome, secrets)), advice, last_output)


def _complaint(
    problem: BaseException, process: Spawned, code: int | None, seconds: float
) -> Complaint:
    if process.is_too_much:
        return "it wrote too much that is not MCP", "Does it write anything else to its output?"
    if code is not None and not isinstance(problem, ListingError):
        return f"it ended {_how(code)} before it had listed them", _BY_ITSELF
    return complaint_about(problem, seconds)


def _tried(server: Server) -> str:
    program, *rest = server.command
    shown = f"{shlex.quote(program)} …" if rest else shlex.quote(program)
    return f"cannot list the tools of {server.name!r} by running `{shown}`"


def _how(code: int) -> str:
    with contextlib.suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"with exit code {code}"
