"""Secrets stand in no configuration file: a setting names where its secret is, `env:` or `file:`."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import structs

from pdp.config import PdpConfig
from pdp.errors import ConfigError


def resolved_pdp(config: PdpConfig) -> PdpConfig:
    """The settings of the decision service with every reference replaced; raises `ConfigError`."""
    limits = structs.replace(config.limits, url=secret(config.limits.url, "limits.url"))
    return structs.replace(config, limits=limits)


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
