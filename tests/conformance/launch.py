"""Begins a fixture of `warm`, on the stdin and stdout that this is started with: `python -S launch.py SOCKET`."""

from __future__ import annotations

import socket
import sys

if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        socket.send_fds(connection, [b"."], [0, 1])
        connection.recv(1)
