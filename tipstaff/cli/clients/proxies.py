"""Tells Tipstaff's own proxies from other servers, in what a client is told to use. Pure.

By the address alone: whether it answers is not asked. Who has a configuration at hand is told only
of servers that are registered in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import urlsplit

from msgspec import Struct

from pep.config import PepConfig, listen_address

_PATH = re.compile(r"/([a-z][a-z0-9_]{0,62})/mcp/?")
_HERE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - nothing is bound
_PYTHON = re.compile(r"python[0-9.]*(?:\.exe)?")
_PORTS = {"http": 80, "https": 443}


class Proxies(Struct, frozen=True):
    """Where the proxy is."""

    origins: frozenset[tuple[str, int]]
    """Host and port; every name of this machine is `localhost`."""
    names: frozenset[str] | None
    """The servers behind it; `None` when they are not known."""

    def are_before(self, url: str, words: Sequence[str]) -> bool:
        """Whether a client that uses `url`, or starts `words`, goes through Tipstaff."""
        if url:
            return self._is_ours(url)
        is_bridge = any(PurePath(word).name.startswith("mcp-remote") for word in words)
        return _wraps(words) or (is_bridge and any(self._is_ours(word) for word in words))

    def _is_ours(self, url: str) -> bool:
        origin, path = _origin(url)
        named = _PATH.fullmatch(path)
        if named is None or origin not in self.origins:
            return False
        return self.names is None or named[1] in self.names


def proxies_of(config: PepConfig, *, is_default: bool) -> Proxies:
    """The proxy that `config` sets up; `is_default` when it is none that somebody has written."""
    host, port = listen_address(config.listen)
    origins = {("localhost" if host in _HERE else host, port)}
    if config.public_url:
        origins.add(_origin(config.public_url)[0])
    names = None if is_default else frozenset(server.name for server in config.servers)
    return Proxies(frozenset(origins), names)


def _origin(url: str) -> tuple[tuple[str, int], str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return ("", 0), ""
    return ("localhost" if host in _HERE else host, port), parts.path


def _wraps(words: Sequence[str]) -> bool:
    """Whether a command line is `tipstaff wrap`, however Tipstaff is started."""
    program, rest = PurePath(words[0]).name if words else "", list(words[1:])
    if program in {"uvx", "uv", "pipx"}:
        rest = rest[1:] if rest[:1] == ["run"] else rest
        program, rest = PurePath(rest[0]).name if rest else "", rest[1:]
    if _PYTHON.fullmatch(program) and rest[:2] == ["-m", "tipstaff"]:
        program, rest = "tipstaff", rest[2:]
    return program.removesuffix(".exe") == "tipstaff" and rest[:1] == ["wrap"]
