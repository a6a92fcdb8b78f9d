"""Programs that begin with the SDK imported already: half a second of each goes into nothing else.

One process has imported it, and forks for whoever connects: the fork gets the arguments, the folder, the environment
and the three pipes of a program, and runs a module as `python -m` does. `Warm` is that process as a test sees it.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LAUNCH = ROOT / "tests" / "launch.py"
# What others have written: what is tested is loaded by the fork.
_IMPORTED = (
    "jsonschema_rs", "mcp", "mcp.client.streamable_http", "mcp.server.mcpserver", "rich.console", "rich.table", "structlog",
    "uvicorn", "yaml",
)  # fmt: skip
_LONGEST = 128 * 1024
_LOOK_SECONDS = 2.0


class Warm:
    """The process that forks."""

    def __init__(self) -> None:
        """Start it, and wait until it listens; it ends with this process."""
        folder = tempfile.mkdtemp(prefix="w")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.path = f"{folder}/s"
        command = [sys.executable, "-m", "tests.warm", self.path, str(os.getpid())]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        atexit.register(self._process.kill)
        while not Path(self.path).exists():
            assert self._process.poll() is None
            time.sleep(0.01)

    def command(self, module: str, *arguments: str) -> list[str]:
        """The command of a process that stands for `python -m module`, and hands its pipes on."""
        return [sys.executable, "-I", "-S", str(LAUNCH), self.path, module, *arguments]

    def run(
        self, module: str, *arguments: str, cwd: Path, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m module` to its end, with nothing to read."""
        words = [module, *arguments]
        message = json.dumps({"words": words, "cwd": str(cwd), "env": dict(env)}).encode()
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            connection.connect(self.path)
            with Path(os.devnull).open("rb") as nothing:
                pipes = [nothing.fileno(), out.fileno(), err.fileno()]
                socket.send_fds(connection, [message], pipes)
            code = int(connection.recv(16) or b"-9")
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(
                words, code, out.read().decode(), err.read().decode()
            )


@cache
def warm() -> Warm:
    """The one of this process, started when it is first needed."""
    return Warm()


def main(path: str, parent: int) -> None:
    """Fork for whoever connects, while `parent` is."""
    for name in _IMPORTED:
        import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a fork tells by itself how it ended
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        # The kernel's own signal comes when the thread has ended that started this process, too early.
        listener.settimeout(_LOOK_SECONDS)
        while os.getppid() == parent:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            message, pipes, _, _ = socket.recv_fds(connection, _LONGEST, 3)
            if os.fork() == 0:
                listener.close()
                _be(json.loads(message), pipes, connection)
            connection.close()
            for pipe in pipes:
                os.close(pipe)


def _be(program: dict[str, Any], pipes: list[int], connection: socket.socket) -> None:
    """Be that program until its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(program["cwd"])
    os.environ.clear()
    os.environ.update(program["env"])
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.open(number, mode), encoding="utf-8")  # noqa: SIM115, UP020
        for number, mode in enumerate(("rb", "wb", "wb"))
    )
    module, *arguments = program["words"]
    sys.argv = [module, *arguments]
    code = _code_of(module)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    connection.send(str(code).encode())
    os._exit(code)


def _code_of(module: str) -> int:
    """Run the module; its exit code, as the interpreter has it."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201
            return 1
        return end.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
