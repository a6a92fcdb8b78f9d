"""Expands `${…}` in a client's file as that client does; each has its own syntax. Pure.

What only the client can answer, or what is not set here, is an error: a server that is asked with
half of its settings would tell another list than the one that agents see.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from pdp.errors import ConfigError
from tipstaff.cli.clients.client_forms import FORMS, Client

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_KIND = re.compile(
    r"\$\{((?:env|input|config|command|file):[^}]*"
    r"|userHome|workspaceFolder(?:Basename)?|pathSeparator|/)\}"
)


class Surroundings(Struct, frozen=True):
    """The values that references may refer to."""

    environment: Mapping[str, str]
    home: Path
    folder: Path
    """The folder that is worked in."""


def expanded(client: Client, text: str, around: Surroundings) -> str:
    """`text` as the client would use it; raises `ConfigError`, which holds no value."""
    return _EXPANSIONS.get(client, _as_it_stands)(client, text, around)


def refers(client: Client, text: str) -> bool:
    """Whether something of this machine's environment goes into `text`."""
    if client == "claude-code":
        return _VARIABLE.search(text) is not None
    return client in _EXPANSIONS and "${env:" in text


def variable(name: str, around: Surroundings) -> str:
    """The value of a variable; raises `ConfigError` when it is not set."""
    if not around.environment.get(name):
        raise ConfigError(f"it wants the environment variable {name}, which is not set here")
    return around.environment[name]


def _as_it_stands(_client: Client, text: str, _around: Surroundings) -> str:
    return text


def _claude_code(_client: Client, text: str, around: Surroundings) -> str:
    """`${VAR}` and `${VAR:-default}` (code.claude.com/docs/en/mcp)."""

    def value(reference: re.Match[str]) -> str:
        if reference[2] is not None:
            return around.environment.get(reference[1]) or reference[2]
        return variable(reference[1], around)

    return _VARIABLE.sub(value, text)


def _with_kinds(client: Client, text: str, around: Surroundings) -> str:
    """`${env:VAR}` and its like (cursor.com/docs/mcp, code.visualstudio.com, docs.windsurf.com)."""
    plain = {
        "userHome": str(around.home),
        "workspaceFolder": str(around.folder),
        "workspaceFolderBasename": around.folder.name,
        "pathSeparator": os.sep,
        "/": os.sep,
    }

    def value(reference: re.Match[str]) -> str:
        if reference[1] in plain:
            return plain[reference[1]]
        kind, _, name = reference[1].partition(":")
        if kind == "env":
            return variable(name, around)
        raise ConfigError(f"it refers to {kind}:{name}, which only {FORMS[client].title} knows")

    return _KIND.sub(value, text)


_EXPANSIONS: Mapping[Client, Callable[[Client, str, Surroundings], str]] = MappingProxyType(
    {
        "claude-code": _claude_code,
        "cursor": _with_kinds,
        "vscode": _with_kinds,
        "windsurf": _with_kinds,
    }
)
