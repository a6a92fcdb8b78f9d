"""Which MCP servers a client's own file names, in whatever state it is. Pure; knows no client by name.

Lenient, as clients are: comments, commas too many and entries of a strange shape are passed over.
Names of environment variables and headers are told, never their values; arguments and URLs are told
as they stand there, and may hold secrets.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from pdp.errors import ConfigError

Language = Literal["json", "toml"]
EVERY = "*"
"""In the keys of a group: each key that there is, which is then the project."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


class ClientServer(Struct, frozen=True):
    """One server that a client knows."""

    name: str
    url: str = ""
    """Where it is, for one reached over HTTP."""
    command: str = ""
    """The program that the client starts, for one that speaks stdio."""
    args: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    """The names of the variables that its process is given."""
    headers: tuple[str, ...] = ()
    """The names of the header lines that it is sent."""
    project: str = ""
    """The folder it is known in, where the file tells folders apart (Claude Code)."""


def read(text: str, language: Language, groups: Sequence[Sequence[str]]) -> list[ClientServer]:
    """The servers that `text` names in its `groups`, each the keys that lead to named servers.

    Raises `ConfigError` if it cannot be read.
    """
    data = data_in(text, language)
    if not isinstance(data, dict):
        raise ConfigError("does not hold an object")
    return [
        server
        for keys in groups
        for project, servers in groups_in(data, keys)
        if isinstance(servers, dict)
        for name, entry in servers.items()
        if isinstance(entry, dict) and (server := _server(name, entry, project))
    ]


def data_in(text: str, language: Language) -> Any:
    """What a file says, read leniently; raises `ConfigError`."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        return {}
    try:
        return tomllib.loads(text) if language == "toml" else _json(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not {language.upper()}: {error}") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except ValueError:
        bare = _COMMENT.sub(r"\1", text)
        return json.loads(_LAST_COMMA.sub(r"\1", bare), strict=False)


def groups_in(data: Any, keys: Sequence[str], project: str = "") -> Iterator[tuple[str, Any]]:
    """What stands at `keys`, with the project it is for."""
    if not keys:
        yield project, data
    elif isinstance(data, dict):
        for key in data if keys[0] == EVERY else keys[:1]:
            yield from groups_in(data.get(key), keys[1:], key if keys[0] == EVERY else project)


def _server(name: str, entry: dict[str, Any], project: str) -> ClientServer | None:
    url, command = _text(entry, "url") or _text(entry, "serverUrl"), _text(entry, "command")
    if not url and not command:
        return None
    args = entry.get("args")
    return ClientServer(
        name,
        url,
        command,
        tuple(str(argument) for argument in args) if isinstance(args, list) else (),
        _names(entry, "env", "env_vars"),
        _names(entry, "headers", "http_headers", "env_http_headers", bearer=True),
        project,
    )


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _names(entry: dict[str, Any], *keys: str, bearer: bool = False) -> tuple[str, ...]:
    """The names below `keys`, which hold objects or lists of names, each once."""
    values = [value for key in keys if isinstance(value := entry.get(key), dict | list)]
    names = [
        _text(name, "name") if isinstance(name, dict) else str(name) for v in values for name in v
    ]
    if bearer and "bearer_token_env_var" in entry:
        names.append("Authorization")
    return tuple(dict.fromkeys(names))
