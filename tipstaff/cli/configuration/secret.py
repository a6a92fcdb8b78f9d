"""Secrets stand in no configuration file: a setting names where its secret is, `env:` or `file:`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import structs

from pdp.config import PdpConfig
from pdp.errors import ConfigError
from pep.config import PepConfig, Server
from tipstaff.common.masking import MASK, masked, masked_text
from tipstaff.console.config import ConsoleConfig
from tipstaff.survey.asking import failures

_LEAST_KEY = 32


def resolved_pdp(config: PdpConfig) -> PdpConfig:
    """The settings of the decision service with every reference replaced; raises `ConfigError`."""
    limits = structs.replace(config.limits, url=secret(config.limits.url, "limits.url"))
    webhook = config.approvals.webhook
    key = "approvals.webhook"
    resolved = structs.replace(
        webhook,
        url=secret(webhook.url, f"{key}.url"),
        secret=webhook.secret and _only_secret(webhook.secret, f"{key}.secret"),
    )
    approvals = structs.replace(config.approvals, webhook=resolved)
    return structs.replace(config, limits=limits, approvals=approvals)


def resolved_pep(config: PepConfig) -> PepConfig:
    """The settings of the proxy with every reference replaced; raises `ConfigError`."""
    key = config.rounds_key and _only_secret(config.rounds_key, "pep.rounds_key")
    if key and len(key) < _LEAST_KEY:
        raise ConfigError(f"pep.rounds_key: write at least {_LEAST_KEY} characters")
    servers = tuple(map(resolved_server, config.servers))
    return structs.replace(config, servers=servers, rounds_key=key)


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


def resolved_console(config: ConsoleConfig) -> ConsoleConfig:
    """The settings of the console with every reference replaced; raises `ConfigError`."""
    openid, key = config.openid, "console.openid.client_secret"
    secret_text = openid.client_secret and _only_secret(openid.client_secret, key)
    return structs.replace(config, openid=structs.replace(openid, client_secret=secret_text))


def secrets_of(config: PdpConfig | PepConfig) -> Iterator[str]:
    """Every secret that settings hold once their references are replaced."""
    if isinstance(config, PdpConfig):
        yield config.limits.url
        webhook = config.approvals.webhook
        yield from filter(None, (webhook.url, webhook.secret))
        with contextlib.suppress(ValueError):
            yield unquote(urlsplit(config.limits.url).password or "")
        return
    yield config.rounds_key
    yield config.jwt.jwks if "@" in config.jwt.jwks else ""
    for server in config.servers:
        yield from failures.secrets_of(server)


def shown(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings, by section, as they may be shown: references as they stand, but no secret beside them."""
    limits, jwt, approvals = settings["limits"], settings["jwt"], settings["approvals"]
    webhook, console = approvals["webhook"], settings["console"]
    openid = console["openid"]
    return {
        **settings,
        "console": {
            **console,
            "openid": {**openid, "client_secret": _shown_reference(openid["client_secret"])},
        },
        "approvals": {
            **approvals,
            "webhook": {
                **webhook,
                "url": masked_text(webhook["url"]),
                "secret": _shown_reference(webhook["secret"]),
            },
        },
        "pep": {**settings["pep"], "rounds_key": _shown_reference(settings["pep"]["rounds_key"])},
        "limits": {**limits, "url": _shown_store(limits["url"])},
        "jwt": {**jwt, "jwks": masked_text(jwt["jwks"])},
        "servers": {name: _shown_server(section) for name, section in settings["servers"].items()},
    }


def _shown_store(url: str) -> str:
    """The URL of a store, whose password may hold any character."""
    scheme, way, rest = url.partition("://")
    _, at, place = rest.rpartition("@")
    return f"{scheme}{way}{MASK}@{masked_text(place)}" if at else masked_text(url)


def _shown_server(server: dict[str, Any]) -> dict[str, Any]:
    environment = server["environment"]
    return {
        **server,
        "url": masked_text(server["url"]),
        "command": masked(list(server["command"])),
        "bearer": _shown_reference(server["bearer"]),
        "headers": {name: _shown_reference(value) for name, value in server["headers"].items()},
        "environment": {
            name: value if is_reference(value) else masked({name: value})[name]
            for name, value in environment.items()
        },
    }


def is_reference(value: str) -> bool:
    """Whether a value names where a secret is."""
    return value.startswith(("env:", "file:"))


def is_in_clear(name: str, value: str) -> bool:
    """Whether a variable's value should rather be a reference; a path or URL may have any name."""
    is_place = value.startswith(("env:", "file:", "/", "./", "~", "http://", "https://"))
    return masked_text(value) != value or (not is_place and masked({name: value}) != {name: value})


def has_password(url: str) -> bool:
    """Whether the URL of a store holds a password."""
    return _shown_store(url) != url


def _shown_reference(value: str) -> str:
    return value if is_reference(value) or not value else MASK


def _only_secret(value: str, key: str) -> str:
    """What a setting refers to that must be a reference, and can be sent in a header line."""
    if not is_reference(value):
        raise ConfigError(
            f"{key}: a secret stands in no configuration: write env:NAME or file:PATH"
        )
    text = secret(value, key)
    if not (text.isascii() and text.isprintable()):
        raise ConfigError(f"{key}: what {value} holds cannot be sent in a header line")
    return text


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
