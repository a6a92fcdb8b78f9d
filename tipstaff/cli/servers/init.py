"""`tipstaff init`: writes a configuration and starter rules. Never overwrites anything."""

from __future__ import annotations

import argparse
from pathlib import Path

from pdp.errors import ConfigError
from pdp.rules.server_rules import starter_rules
from tipstaff import schemas
from tipstaff.cli import console
from tipstaff.cli.clients import user_file
from tipstaff.cli.configuration.config_text import starter
from tipstaff.cli.servers import sources


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff init`."""
    servers = [_server(text) for text in arguments.server]
    folder: Path = arguments.folder
    files = {folder / "tipstaff.toml": starter(servers, schemas.toml_line(schemas.TIPSTAFF_TOML))}
    for name, _ in servers or [("example", "")]:
        files[folder / "policy" / "servers" / name / "data.yaml"] = starter_rules(
            name, schemas.yaml_line(schemas.DATA_YAML)
        )
    if (folder / "tipstaff.toml").exists():
        raise ConfigError(f"{folder / 'tipstaff.toml'} exists already; nothing was written")
    for path, text in files.items():
        old = user_file.find(path)
        if old.status is not None:
            console.out.print(f"kept   {path}", markup=False)
            continue
        user_file.replace(old, text, keeps_copy=False)
        console.out.print(f"wrote  {path}", markup=False)
    for schema in (schemas.TIPSTAFF_TOML, schemas.DATA_YAML):
        console.out.print(f"schema {schema}", markup=False)
    console.out.print("       for editors: each file names its own in its first line", markup=False)
    console.out.print("next:  tipstaff check, then tipstaff up", markup=False)
    return 0


def _server(text: str) -> tuple[str, str]:
    name, separator, url = text.partition("=")
    if not separator or not url:
        raise ConfigError(
            f"--server {text}: write NAME=URL, for example files=http://127.0.0.1:9000/mcp"
        )
    return name, sources.url_of(url) or url
