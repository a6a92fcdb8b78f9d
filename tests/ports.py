"""Ports that no other test takes meanwhile.

A port that the kernel has just handed out and got back may be anybody's a moment later: another
test's, or an outgoing connection's. So a port comes from below the range that connections use, and
stays reserved by a lock on a file until this process ends.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_FIRST, _LAST = 20_000, 32_000
_RESERVED: list[int] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, reserved for this process."""
    folder = Path(tempfile.gettempdir()) / f"tipstaff-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        port = random.randrange(_FIRST, _LAST)
        descriptor = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(descriptor)
            continue
        _RESERVED.append(descriptor)
        return port
