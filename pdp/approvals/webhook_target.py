"""Where a webhook may be sent: the configured URL, and addresses of the internet unless told otherwise. Pure.

Theory. Whoever can write a name into the configuration, or answer for it in DNS, must not make the decision
service speak to machines that only it can reach: a cloud's metadata, another service of this machine. So a
name must resolve to public addresses alone. An address of this machine or of a private network is taken
only where the operator has written that very address, or `localhost`, into `hosts`: then no name server
has a say in it. Plain HTTP is for those; over the internet a message goes with TLS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from pdp.api.private import Private
from pdp.config import Webhook
from pdp.errors import ConfigError

LOCALHOST = "localhost"
_KEY = "approvals.webhook"
# Addresses of IPv6 that lead to one of IPv4, written in their last 32 bits (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_LOWEST = 0xFFFFFFFF


class Target(Private, frozen=True):
    """The URL that messages are sent to, and whether its host may be on this machine or in a private network."""

    SECRET = frozenset({"url"})

    url: str
    host: str
    may_be_private: bool


def target(webhook: Webhook) -> Target:
    """The target that settings name; raises `ConfigError`, whose text holds no URL."""
    try:
        parts = urlsplit(webhook.url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"{_KEY}.url: not a URL") from error
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ConfigError(f"{_KEY}.url: must be https://HOST/…")
    if parts.username or parts.password or parts.fragment:
        raise ConfigError(f"{_KEY}.url: has no place for a user, a password or a fragment")
    hosts = {_plain(name) for name in webhook.hosts}
    if hosts and _plain(host) not in hosts:
        raise ConfigError(f"{_KEY}.hosts: does not name the host of the url, {host}")
    is_named = _plain(host) in hosts and (host == LOCALHOST or _address(host) is not None)
    _check_address(host, may_be_private=is_named)
    if parts.scheme == "http" and not is_named:
        raise ConfigError(
            f"{_KEY}.url: http is only for an address or localhost that stands in hosts; write https"
        )
    return Target(webhook.url, host, is_named)


def allowed(addresses: Iterable[str], *, may_be_private: bool) -> list[str]:
    """The addresses that may be spoken to; none of them when one of them may not."""
    listed = list(addresses)
    if may_be_private or all(is_public(address) for address in listed):
        return listed
    return []


def is_public(text: str) -> bool:
    """Whether an address is one of the internet, whatever form it is written in."""
    address = _address(text)
    if address is None or address.is_multicast or not address.is_global:
        return False
    inner = _inner(address) if isinstance(address, IPv6Address) else None
    return inner is None or is_public(str(inner))


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & _LOWEST)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def _check_address(host: str, *, may_be_private: bool) -> None:
    """Refuse at the start what would be refused at every message."""
    is_private = host == LOCALHOST or (_address(host) is not None and not is_public(host))
    if is_private and not may_be_private:
        raise ConfigError(
            f"{_KEY}.url: {host} is on this machine or in a private network: "
            f"if that is meant, write hosts = [{host!r}]"
        )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
