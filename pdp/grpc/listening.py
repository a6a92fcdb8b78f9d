"""The address of the decision service, bound before anything else is done. Edge: gRPC, sockets.

Another service may listen there already. It is not disturbed: the second service is refused before it
writes anything.
"""

from __future__ import annotations

import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from pdp.config import PdpConfig
from pdp.errors import ConfigError
from pdp.grpc.admission import Admission, server_credentials
from pdp.private_files import make_folder
from pdp.state_lock import Holder, take_socket

_MAX_SOCKET_PATH = 100
# A call's arguments may be as large as the largest body of an MCP message, and calls come in batches.
_SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


def bound_server(
    config: PdpConfig, run_folder: Path, holder: Holder, stack: AsyncExitStack
) -> grpc.aio.Server:
    """A server bound to its address that answers no request yet; raises `ConfigError`."""
    admission = Admission(holder.configuration, config.tls.clients)
    server = grpc.aio.server(options=_SERVER_OPTIONS, interceptors=[admission])
    address, credentials = config.listen, server_credentials(config)
    if address.startswith("unix:"):
        _clear_socket(Path(address.removeprefix("unix:")), run_folder, holder, stack)
    mask = os.umask(0o177)  # only its owner can open the socket, from its first moment
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ConfigError(
            f"cannot listen on {address}: is another decision service running there? "
            "Stop it, or set [pdp] listen to another address"
        ) from error
    finally:
        os.umask(mask)
    return server


def _clear_socket(path: Path, run_folder: Path, holder: Holder, stack: AsyncExitStack) -> None:
    """Remove the socket that a crashed service has left at `path`; raises `ConfigError`.

    gRPC would also remove a socket on which another process listens. The run folder belongs to the
    holder of the state folder's lock; a socket elsewhere gets a lock of its own.
    """
    if len(str(path)) > _MAX_SOCKET_PATH:
        raise ConfigError(
            f"the socket path {path} is too long for a unix socket (100 characters); "
            "choose a shorter state_dir, or set [pdp] listen"
        )
    if path.parent != run_folder:
        if not path.parent.exists():
            make_folder(path.parent)
        stack.callback(take_socket(path, holder).release)
    if not path.exists():
        return
    if not path.is_socket():
        raise ConfigError(f"cannot listen on {path}: it is no socket; it was left alone")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(str(path)) == 0:
            raise ConfigError(
                f"cannot listen on {path}: another program does. Stop it, or set [pdp] listen to another"
            )
    path.unlink(missing_ok=True)
