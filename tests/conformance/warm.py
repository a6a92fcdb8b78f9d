"""The fixture over stdio, ready to begin: `python -m tests.conformance.warm SOCKET`.

The suite begins a session for every scenario, a session over stdio has a process of its own, and half a second of
such a process goes into imports. So one process has imported all, and forks for whoever connects: `launch.py` hands
it the stdin and stdout that it was started with, and ends with the fork.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import warnings

from tests.conformance.fixture.__main__ import fixture


def main(path: str) -> None:
    """Serve until ended."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while True:
            connection, _ = listener.accept()
            _, pipes, _, _ = socket.recv_fds(connection, 1, 2)
            if not pipes:  # somebody looked whether this listens
                connection.close()
                continue
            if os.fork() == 0:
                listener.close()
                _serve(pipes)
            connection.close()
            for pipe in pipes:
                os.close(pipe)


def _serve(pipes: list[int]) -> None:
    """Be the fixture on these pipes; the connection, which stays open, ends with this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    try:
        fixture().run("stdio")
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
