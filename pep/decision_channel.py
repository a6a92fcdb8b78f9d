"""How the decision service is reached: plain on this machine, by certificates from another. Edge: gRPC."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from pdp.api.address import host_of, is_local
from pep.config import PdpTls
from pep.errors import StartError

# Reconnect soon (the default backoff grows to 120 s), and let no answer be too large to read.
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
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
    """A channel for a command that asks once; raises `StartError`."""
    credentials, options = _credentials(address, tls)
    if credentials is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, credentials, options=options)


def _credentials(address: str, tls: PdpTls) -> tuple[Any, tuple[tuple[str, Any], ...]]:
    """The certificates to show and to believe, `None` where it is plain; and the options."""
    if not tls.server_ca or not host_of(address):
        if not is_local(address):
            raise StartError(
                f"the decision service at {address} is not on this machine: what is sent there needs "
                "certificates: write [pep.pdp_tls] with server_ca, certificate and key"
            )
        return None, _OPTIONS
    _check_files(tls)
    credentials = grpc.ssl_channel_credentials(
        _read(tls.server_ca), _read(tls.key), _read(tls.certificate)
    )
    if not tls.server_name:
        return credentials, _OPTIONS
    return credentials, (*_OPTIONS, ("grpc.ssl_target_name_override", tls.server_name))


def _check_files(tls: PdpTls) -> None:
    """What gRPC would refuse without a word; raises `StartError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")  # nobody is here to be asked
        context.load_verify_locations(tls.server_ca)
    except (OSError, ssl.SSLError) as error:
        files = f"{tls.certificate}, {tls.key} or {tls.server_ca}"
        raise StartError(f"[pep.pdp_tls]: cannot use {files}: {error}") from error


def _read(file: str) -> bytes:
    return Path(file).read_bytes()
