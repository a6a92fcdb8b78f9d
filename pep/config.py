"""What the enforcement point can be told. Read from the section `[pep]`; the values are checked here."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from pep.enforce import DenialStyle

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOCAL_HOSTS = ("127.0.0.1:*", "localhost:*", "[::1]:*")


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """One upstream MCP server, reached at `/NAME/mcp`."""

    name: str
    """How the server is called in the URL and in rules: `[a-z][a-z0-9_]{0,62}`."""
    url: str
    """Where the server listens: the whole http or https URL of its MCP endpoint."""
    auth: Literal["strip", "passthrough"] = "strip"
    """Whether the client's Authorization header is kept back, or passed on to this server."""
    denial: DenialStyle = "result"
    """How a refused tool call is shown: as a tool result the model reads, or a JSON-RPC error."""

    def __post_init__(self) -> None:
        """Refuse names and URLs that cannot be used."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"server name {self.name!r}: use lower-case letters, digits and _, "
                "a letter first, at most 63"
            )
        _check_url(self.name, self.url)

    @property
    def authority(self) -> bytes:
        """What the Host header says to this server."""
        return urlsplit(self.url).netloc.encode()


class PepConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The section `[pep]`."""

    listen: str = "127.0.0.1:8700"
    """Host and port that MCP clients connect to."""
    allowed_hosts: tuple[str, ...] = _LOCAL_HOSTS
    """Values of the Host header that are ours; `name:*` is any port, `*` anything."""
    allowed_origins: tuple[str, ...] = tuple(f"http://{host}" for host in _LOCAL_HOSTS)
    """Values of the Origin header that may use the proxy; a request without one may."""
    max_body_bytes: int = 4 * 1024 * 1024
    """Bytes of a request that are read; more is answered with 413."""
    body_timeout_ms: int = 30_000
    """Milliseconds in which the whole request body must arrive."""
    decision_timeout_ms: int = 2000
    """Milliseconds to wait for a decision before the call is refused."""
    upstream_connect_timeout_ms: int = 5000
    """Milliseconds to wait for a connection to a server. There is no limit on its answer."""
    shutdown_grace_ms: int = 2000
    """Milliseconds that open streams get to end when the proxy stops."""
    servers: tuple[Server, ...] = ()
    """The upstream servers."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        listen_address(self.listen)
        for field in ("max_body_bytes", "body_timeout_ms", "decision_timeout_ms",
                      "upstream_connect_timeout_ms", "shutdown_grace_ms"):  # fmt: skip
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1")
        names = [server.name for server in self.servers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two servers are called {name!r}")


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; raises `ValueError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"listen {text!r}: write HOST:PORT, for example 127.0.0.1:8700")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"server {name!r}: url {url!r} is not a URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError(
            f"server {name!r}: url must begin with http:// or https:// and name a host"
        )
    if "@" in parts.netloc:
        raise ValueError(f"server {name!r}: url must not hold credentials")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"server {name!r}: url must be plain ASCII without a fragment")
