"""The folder of the sockets of a state folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_MAX_SOCKET_PATH = 90


def run_folder_of(state: Path) -> Path:
    """Where sockets stand: in the state folder, or, when its path is too long for one, beside it.

    A unix socket's path may have about 100 characters. However the folder is reached, it is one place.
    """
    state = state.resolve()
    folder = state / "run"
    if len(str(folder)) <= _MAX_SOCKET_PATH - len("/opa/opa.sock"):
        return folder
    digest = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tipstaff-{os.getuid()}-{digest}"
