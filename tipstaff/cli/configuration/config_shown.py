"""A configuration as it may be shown: resolved, in the sections of its file, without secrets. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from tipstaff.cli.configuration.config import PARTS, PEP_PARTS, Config
from tipstaff.cli.configuration.secret import shown
from tipstaff.cli.configuration.toml_value import toml_value


def as_json(config: Config) -> dict[str, Any]:
    """The configuration as plain data, in the sections of the file; secrets in it are masked."""
    plain: dict[str, Any] = msgspec.to_builtins(config.pdp)
    parts = {name: plain.pop(name) for name in PARTS}
    pep: dict[str, Any] = msgspec.to_builtins(config.pep)
    servers = {server.pop("name"): server for server in pep.pop("servers")}
    parts |= {name: pep.pop(name) for name in PEP_PARTS}
    page = msgspec.to_builtins(config.console)
    sections = {"pdp": plain, "pep": pep, "console": page, **parts, "servers": servers}
    return {"state_dir": str(config.state_dir), **shown(sections)}


def show(config: Config) -> str:
    """The configuration as TOML."""
    data = as_json(config)
    lines = [f"state_dir = {toml_value(data.pop('state_dir'))}"]
    servers = data.pop("servers")
    sections = {**data, **{f"servers.{name}": server for name, server in servers.items()}}
    for name, section in sections.items():
        lines += [
            "",
            f"[{name}]",
            *(f"{key} = {toml_value(value)}" for key, value in section.items()),
        ]
    return "\n".join(lines) + "\n"
