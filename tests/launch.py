"""Has a module run on the pipes that this is started with, by a process of `warm`: `launch.py SOCKET MODULE ARGUMENTS…`."""

from __future__ import annotations

import json
import os
import socket
import sys

if __name__ == "__main__":
    path, *words = sys.argv[1:]
    program = json.dumps({"words": words, "cwd": os.getcwd(), "env": dict(os.environ)})  # noqa: PTH109 - pathlib loads much
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        socket.send_fds(connection, [program.encode()], [0, 1, 2])
        sys.exit(int(connection.recv(16) or b"1"))
