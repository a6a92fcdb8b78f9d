"""gRPC channels to the decision service: plain on this machine, with TLS to another. Edge: gRPC."""

from __future__ import annotations

from typing import Any

import grpc
from grpc import aio

from pdp.api.address import host_of, is_local
from pep.config import PdpTls
from pep.errors import StartError
from tipstaff.common import certificates

# Reconnect soon (the default backoff grows to 120 s), and let no answer be too large to read. The minimum
# is the time that one attempt has: on a busy machine a handshake takes more than a moment.
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.enable_retries", 0),
)


def async_channel(address: str, tls: PdpTls) -> Any:
    """A channel for the event loop; raises `StartError`."""
    credentials, options = _credentials(address, tls)
    if credentials is None:
        return aio.insecure_channel(address, options=options)
    return aio.secure_channel(address, credentials, options=options)


def channel(address: str, tls: PdpTls) -> Any:
    """A channel for a command with a single question; raises `StartError`."""
    credentials, options = _credentials(address, tls)
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def _credentials(address: str, tls: PdpTls) -> tuple[Any, tuple[tuple[str, Any], ...]]:
    """The channel's credentials, `None` for a plain channel; and the options."""
    if not tls.server_ca or not host_of(address):
        if not is_local(address):
            raise StartError(
                f"the decision service at {address} is not on this machine: what is sent there needs "
                "certificates: write [pep.pdp_tls] with server_ca, certificate and key"
            )
        return None, _OPTIONS
    try:
        files = certificates.read(tls.certificate, tls.key, tls.server_ca)
    except ValueError as error:
        raise StartError(f"[pep.pdp_tls]: {error}") from error
    credentials = grpc.ssl_channel_credentials(files.authorities, files.key, files.chain)
    if not tls.server_name:
        return credentials, _OPTIONS
    return credentials, (*_OPTIONS, ("grpc.ssl_target_name_override", tls.server_name))
