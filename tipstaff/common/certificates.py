"""The certificates of one side of a connection, read and tried before gRPC gets them. Edge: files.

gRPC takes files that do not fit without a word, and then no connection comes about.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct


class Certificates(Struct, frozen=True):
    """A certificate, its key, and the authorities that are trusted (PEM)."""

    chain: bytes
    key: bytes
    authorities: bytes


def read(chain: str, key: str, authorities: str) -> Certificates:
    """The content of the three files; raises `ValueError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(chain, key, password="")  # nobody is here to be asked for one
        context.load_verify_locations(authorities)
        return Certificates(*(Path(file).read_bytes() for file in (chain, key, authorities)))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"cannot use {chain}, {key} or {authorities}: {error}") from error


def changed_at(files: Iterable[str]) -> list[int]:
    """When each file was last written, in nanoseconds; 0 for one that is not there."""
    return [_modified(Path(file)) for file in files]


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
