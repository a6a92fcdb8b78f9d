"""Children end with us, with all that they have started, whatever they do; and are started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tipstaff.common import child_process
from tipstaff.common.back_off import BackOff
from tipstaff.common.child_process import end, exit_code, keep_running, lacks

ROOT = Path(__file__).parents[4]
PIPE = asyncio.subprocess.PIPE
ENVIRONMENT = {"PATH": os.environ["PATH"]}
# Says that it is ready, and ends at SIGTERM only.
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
STARTS_ONE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
"""
BOUND = """
import asyncio, os, sys
from tipstaff.common import child_process

async def main():
    process = await child_process.start([sys.executable, "-c", "import time; time.sleep(60)"], os.environ)
    print(process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def python(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program, *arguments]


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`child_process.start`; when the test has ended, so have the children, and their pipes are closed."""
    started = []

    async def start(*arguments: Any, **options: Any) -> Process:
        started.append(await child_process.start(*arguments, **options))
        return started[-1]

    yield start
    for process in started:
        await end(process, patience=0.1)
        process._transport.close()  # type: ignore[attr-defined]
    await asyncio.sleep(0.01)


async def line_of(process: Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 20)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be asked for its code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def is_gone_soon(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_there(pid)


async def test_a_child_leads_a_group_of_its_own_and_finds_its_own_environment(start: Start) -> None:
    """Nothing of ours: there may be secrets in it."""
    program = "import os; print(os.getpid() == os.getpgrp() == os.getsid(0), sorted(os.environ))"
    process = await start(python(program), {"ONLY": "x"}, stdout=PIPE)
    assert (await line_of(process)).startswith(b"True ['")
    process = await start(
        python("import os; print(sorted(os.environ))"), {"ONLY": "x"}, stdout=PIPE
    )
    assert b"PATH" not in await line_of(process)
    assert await exit_code(process) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux binds them")
def test_a_child_ends_with_us_even_when_we_are_killed() -> None:
    """Nobody is there to end it then."""
    parent = subprocess.Popen([sys.executable, "-c", BOUND], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_there(pid)
    parent.kill()
    parent.communicate(timeout=20)
    assert is_gone_soon(pid)


async def test_a_child_whose_input_ends_may_end_by_itself(start: Start) -> None:
    """As servers over pipes do: no signal is needed."""
    process = await start(python("import sys; sys.stdin.read(); sys.exit(7)"), {}, stdin=PIPE)
    assert await end(process, patience=20) == 7


async def test_a_child_is_asked_first(start: Start) -> None:
    """It may have something to put in order."""
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print(flush=True)\ntime.sleep(60)"
    )
    process = await start(python(program), {}, stdout=PIPE)
    await line_of(process)
    assert await end(process, patience=20) == 5


@pytest.mark.parametrize("stdin", [PIPE, asyncio.subprocess.DEVNULL])
async def test_a_child_that_does_not_listen_is_killed(start: Start, stdin: int) -> None:
    """After the time that it is given."""
    process = await start(python(STUBBORN), {}, stdin=stdin, stdout=PIPE)
    await line_of(process)
    assert await end(process, patience=0.1) == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
async def test_what_a_child_has_started_ends_with_it(start: Start) -> None:
    """Also when the child has ended long before, and its own child listens to nothing."""
    process = await start(python(STARTS_ONE, STUBBORN), ENVIRONMENT, stdout=PIPE)
    pid = int(await line_of(process))
    assert await exit_code(process) == 0
    assert is_there(pid)
    assert await end(process, patience=0.1) == 0
    assert await asyncio.to_thread(is_gone_soon, pid)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
async def test_a_start_that_is_cancelled_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The child may have started others before asyncio has told of it: on a busy machine it does."""
    begun: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
    create = asyncio.create_subprocess_exec

    async def slow(*arguments: Any, **options: Any) -> Process:
        process = await create(*arguments, **options)
        begun.set_result(process)
        await asyncio.sleep(0.5)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    program = STARTS_ONE + "\ntime.sleep(60)"
    command = python(program, STUBBORN)
    starting = asyncio.ensure_future(child_process.start(command, ENVIRONMENT, stdout=PIPE))
    process = await begun
    pid = int(await line_of(process))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert await asyncio.to_thread(is_gone_soon, pid)
    assert await exit_code(process) == -signal.SIGKILL
    process._transport.close()  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
async def test_a_group_is_asked_together_when_that_is_wanted(start: Start) -> None:
    """A shell does not hand a signal on to the server that it runs; without the group it stays for a while."""
    inner = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'asked\\n'), sys.exit()))\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    outer = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.call([sys.executable, '-I', '-S', '-c', sys.argv[1]])"
    )
    process = await start(python(outer, inner), ENVIRONMENT, stdout=PIPE)
    assert await line_of(process) == b"ready\n"
    assert await end(process, patience=20, asks_group=True) == 0
    assert await line_of(process) == b"asked\n"


async def test_an_exit_is_seen_though_others_hold_the_pipe_open(start: Start) -> None:
    """What it has started has its output, and goes on."""
    process = await start(python(STARTS_ONE, STUBBORN), ENVIRONMENT, stdout=PIPE, stderr=PIPE)
    assert await asyncio.wait_for(exit_code(process, 0.01), 20) == 0
    await end(process, patience=0.1)


def test_a_program_lacks_its_file_or_the_permission(tmp_path: Path) -> None:
    """Along the path that it will be looked for."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    assert lacks(str(program), "/usr/bin") == "permission"
    assert lacks("program", str(tmp_path)) == "file"
    assert lacks("/no/such/program", "/usr/bin") == "file"
    program.chmod(0o755)
    assert lacks("program", str(tmp_path)) == ""
    assert lacks(str(program), "/nowhere") == ""


class Scripted:
    """A process that ends at once with each of some exit codes, and then runs for ever."""

    def __init__(self, *codes: int | None) -> None:
        self.codes = list(codes)
        self.events: list[tuple[str, object]] = []

    async def ended(self) -> int | None:
        if not self.codes:
            await asyncio.Event().wait()
        return self.codes.pop(0)

    def died(self, code: int | None, pause: float) -> None:
        self.events.append(("died", (code, pause)))

    async def start_again(self) -> None:
        self.events.append(("started", len(self.codes)))


async def test_what_has_ended_is_started_again_after_a_growing_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when it could not be started; and nothing is started while it runs."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(child_process.asyncio, "sleep", sleep)
    scripted = Scripted(3, None, -9)
    keeping = asyncio.ensure_future(keep_running(scripted, BackOff(1.0, 3.0, steady_after=10.0)))
    await asyncio.wait({keeping}, timeout=0.2)
    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert pauses == [1.0, 2.0, 3.0]
    assert scripted.events == [
        *(("died", (3, 1.0)), ("started", 2)),
        *(("died", (None, 2.0)), ("started", 1)),
        *(("died", (-9, 3.0)), ("started", 0)),
    ]


def test_a_program_is_looked_for_where_it_would_look_itself(tmp_path: Path) -> None:
    """Along the PATH of its own environment."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert child_process.missing_program("program", str(tmp_path)) == ""
    assert child_process.missing_program("program", "/usr/bin:/bin") != ""
    assert child_process.missing_program(str(program), "/nowhere") == ""
