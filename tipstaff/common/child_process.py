"""Child processes: started so that none outlives this process, kept running, and ended for certain.

Edge: processes. A child leads a process group of its own, so that what it has started ends with it, and so
that Ctrl-C in a terminal reaches this process alone. On Linux the kernel ends it when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, Protocol

from tipstaff.common.back_off import BackOff
from tipstaff.common.die_with_parent import bound_to_this_process

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL", "TERM")
"""The variables by which programs find their files and speak a person's language: no secret is among them."""
_LOOK_SECONDS = 0.05
_LOOK_OFTEN_SECONDS = 0.01
_LONGEST_LINE = 64 * 1024


class Kept(Protocol):
    """A process that is to run for ever, as its keeper sees it."""

    async def ended(self) -> int | None:
        """Wait until it has ended; its exit code, or `None` when it could not be started."""

    def died(self, code: int | None, pause: float) -> None:
        """Log that it has ended, and that it is started again after `pause` seconds."""

    async def start_again(self) -> None:
        """Start it; a start that fails raises nothing, and `ended` returns at once."""


async def keep_running(kept: Kept, back_off: BackOff) -> None:
    """Start a process that runs again whenever it ends, with growing pauses, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        since = loop.time()
        code = await kept.ended()
        pause = back_off.after(loop.time() - since)
        kept.died(code, pause)
        await asyncio.sleep(pause)
        await kept.start_again()


async def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    cwd: Path | None = None,
    longest_line: int = _LONGEST_LINE,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start `command` with nothing but `environment`; raises `OSError`.

    A program that is not there is found out by `lacks` only: what is started first is an interpreter.
    Cancelled while it starts, it is killed with all that it has started by then: asyncio would end the
    process alone.
    """
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *bound_to_this_process(list(command)),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=dict(environment),
            limit=longest_line,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_kill)
        await asyncio.wait({starting})
        raise


def _kill(starting: asyncio.Future[Process]) -> None:
    """Kill a process that nobody waits for any more, and what it has started."""
    if not starting.cancelled() and starting.exception() is None:
        signal_group(starting.result(), signal.SIGKILL)


def environment_with(own: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program of others: those that every one is given, and its `own`."""
    return {**{name: os.environ[name] for name in INHERITED if name in os.environ}, **own}


def lacks(program: str, path: str) -> Literal["", "file", "permission"]:
    """What a program lacks to be started, when it is looked for along `path`; "" when nothing."""
    if shutil.which(program, path=path):
        return ""
    return "permission" if os.sep in program and Path(program).exists() else "file"


def missing_program(program: str, path: str | None) -> str:
    """The reason why a program cannot be started, looked for along `path`; "" when it can."""
    match lacks(program, path or os.environ.get("PATH", os.defpath)):
        case "permission":
            return f"{program} cannot be run: is it the right file, and executable?"
        case "file":
            return f"there is no program {program}: is it installed, and on the PATH?"
        case _:
            return ""


async def exit_code(process: Process, look_seconds: float = _LOOK_SECONDS) -> int:
    """The exit code of a process, once it has ended.

    asyncio's own `wait` waits for its pipes too, which others may hold open.
    """
    while process.returncode is None:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(look_seconds)
    return process.returncode


async def end(process: Process, *, patience: float, asks_group: bool = False) -> int:
    """End a process and all that it has started: its exit code.

    Its input is closed, where that is a pipe of ours; then it is asked, with `asks_group` together with
    what it has started; then it is killed. Each but the last is given `patience` seconds.
    """
    ask = signal_group if asks_group else _signal
    if process.stdin is not None:
        process.stdin.close()
        await _ended_within(process, patience)
    if process.returncode is None:
        ask(process, signal.SIGTERM)
        await _ended_within(process, patience)
    signal_group(process, signal.SIGKILL)  # whatever of its group is left, too
    _signal(process, signal.SIGKILL)
    return await exit_code(process, _LOOK_OFTEN_SECONDS)


def signal_group(process: Process, number: signal.Signals) -> None:
    """Signal a process and what it has started, as far as any of it is there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal(process: Process, number: signal.Signals) -> None:
    # `Process.send_signal` looks first whether the process has ended, and takes its exit code away from
    # the event loop's own watcher if it just has: the code would be told as 255.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


async def _ended_within(process: Process, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await exit_code(process, _LOOK_OFTEN_SECONDS)
