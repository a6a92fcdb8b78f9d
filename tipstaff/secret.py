"""Secrets stand in no configuration file: a setting names where its secret is, `env:` or `file:`."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import structs

from pdp.config import PdpConfig
from pdp.errors import ConfigError
from pep.config import PepConfig, Server


def resolved_pdp(config: PdpConfig) -> PdpConfig:
    """The settings of the decision service with every reference replaced; raises `ConfigError`."""
    limits = structs.replace(config.limits, url=secret(config.limits.url, "limits.url"))
    return structs.replace(config, limits=limits)


def resolved_pep(config: PepConfig) -> PepConfig:
    """The settings of the proxy with every reference replaced; raises `ConfigError`."""
    return structs.replace(config, servers=tuple(map(resolved_server, config.servers)))


def resolved_server(server: Server) -> Server:
    """One server with every reference replaced; raises `ConfigError`."""
    where = f"servers.{server.name}"
    bearer = server.bearer and _only_secret(server.bearer, f"{where}.bearer")
    headers = {
        name: _only_secret(value, f"{where}.headers.{name}")
        for name, value in server.headers.items()
    }
    environment = {
        name: secret(value, f"{where}.environment.{name}")
        for name, value in server.environment.items()
    }
    return structs.replace(server, bearer=bearer, headers=headers, environment=environment)


def _only_secret(value: str, key: str) -> str:
    """What a setting refers to that must be a reference, and can be sent in a header line."""
    if not value.startswith(("env:", "file:")):
        raise ConfigError(
            f"{key}: a secret stands in no configuration: write env:NAME or file:PATH"
        )
    found = secret(value, key)
    if not (found.isascii() and found.isprintable()):
        raise ConfigError(f"{key}: what {value} holds cannot be sent in a header line")
    return found


def secret(value: str, key: str) -> str:
    """The value of a setting that may be a reference: `env:NAME` or `file:PATH`.

    Raises `ConfigError`, which names `key` and never a value.
    """
    kind, _, name = value.partition(":")
    if kind == "env":
        if not os.environ.get(name):
            raise ConfigError(f"{key}: the environment variable {name} is not set")
        return os.environ[name]
    if kind == "file":
        try:
            text = Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{key}: cannot read {name}: {error}") from error
        if not text:
            raise ConfigError(f"{key}: {name} is empty")
        return text
    return value
