"""The sockets on which clients and other workers connect. Edge: sockets."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from pep.config import listen_address
from pep.errors import StartError

_BACKLOG = 2048


def listen(address: str, *, is_shared: bool = False) -> socket.socket:
    """A socket that listens on `address`; raises `StartError`.

    Those that share an address get its connections in turn, by the kernel's choice, and one that ends
    leaves new ones to the others.
    """
    return _bound(address, is_shared=is_shared, listens=True)


def reserve(address: str) -> socket.socket:
    """Keep `address` for sockets that share it, as long as the result is open; raises `StartError`.

    Sockets of one user can share an address without knowing of each other. So it must be free at first,
    of such sockets too: half of the calls would be judged by somebody else's rules.
    """
    _bound(address, is_shared=False).close()
    return _bound(address, is_shared=True)


def listen_privately(path: Path) -> socket.socket:
    """A socket that listens at `path`, instead of whoever did so before, for this user only; raises `StartError`."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen at {path}: {error.strerror or error}") from error
    return listener


def _bound(address: str, *, is_shared: bool, listens: bool = False) -> socket.socket:
    """A socket that has the address; raises `StartError` where that cannot be."""
    host, port = listen_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
        if listens:
            bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            hint = "the port is in use. Stop what listens there, or set [pep] listen to another"
        else:
            hint = error.strerror or str(error)
        raise StartError(f"cannot listen on {address}: {hint}") from error
    return bound
