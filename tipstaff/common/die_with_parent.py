"""Commands that end with the process that runs them."""

from __future__ import annotations

import os
import sys

# PR_SET_PDEATHSIG is 1. The parent may have died before the request was made.
_BIND = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


def bound_to_this_process(command: list[str]) -> list[str]:
    """`command`, run so that it never outlives this process, even one that was killed (Linux).

    A small interpreter asks the kernel for that and becomes the command. Doing it in a forked copy
    of this process (`preexec_fn`) is not safe beside the threads of gRPC.
    """
    if not sys.platform.startswith("linux"):
        return command
    return [sys.executable, "-I", "-S", "-c", _BIND, str(os.getpid()), *command]
