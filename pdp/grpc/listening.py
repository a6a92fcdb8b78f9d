"""The address of the decision service, bound before anything else is done. Edge: gRPC, sockets.

Another service may listen there already. It is neither pushed aside nor disturbed: who comes second is
refused before a byte is written.
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
    """A server that has its address, and answers nobody yet; raises `ConfigError`."""
    admission = Admission(holder.configuration, config.tls.clients)
    server = grpc.aio.server(options=_SERVER_OPTIONS, interceptors=[admission])
    address, credentials = config.listen, server_credentials(config)
    if address.startswith("unix:"):
        _clear_socket(Path(address.removeprefix("unix:")), run_folder, holder, stack)
    mask = os.umask(0o177)  # the socket is ours alone from the moment it is there
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
    """Take away what a service that crashed has left at `path`; raises `ConfigError`.

    gRPC would take away a socket on which somebody listens, too. Whatever is in the run folder is
    ours; for any other place there is a lock of its own.
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
