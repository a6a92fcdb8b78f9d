"""Addresses of the decision service, and who can reach them. Pure."""

from __future__ import annotations

import ipaddress

CONFIGURATION_KEY = "tipstaff-configuration-bin"
"""The metadata by which the client of a stream names the configuration that it wants to be judged by,
and by which the service confirms it. A path may hold any bytes, hence `-bin`."""


def host_of(address: str) -> str:
    """The host of `HOST:PORT`, without brackets; "" for a unix socket."""
    if address.startswith("unix:"):
        return ""
    return address.rpartition(":")[0].removeprefix("[").removesuffix("]")


def is_local(address: str) -> bool:
    """Whether only this machine can reach `unix:PATH` or `HOST:PORT`."""
    host = host_of(address)
    if not host or host == "localhost":
        return address.startswith("unix:") or bool(host)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
