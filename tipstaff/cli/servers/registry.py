"""The registered servers of a site: its configuration, its policy folder, its catalogues.

Edge: files, and servers that are asked. It decides nothing; `register`, `accept` and `scan` do.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from pdp.api import strict_json
from pdp.errors import ConfigError
from pdp.tools import changed_tools, changed_tools_file
from pdp.tools.catalogue import Pin
from pep.config import Server
from tipstaff import schemas
from tipstaff.cli import console
from tipstaff.cli.clients import user_file
from tipstaff.cli.clients.user_file import UserFile
from tipstaff.cli.configuration import config, config_text
from tipstaff.cli.configuration.config import Config
from tipstaff.cli.configuration.secret import resolved_server
from tipstaff.cli.servers import sources
from tipstaff.common.did_you_mean import nearest
from tipstaff.survey.asking.introspect import introspect
from tipstaff.survey.asking.listing import Listing


class Site(Struct, frozen=True):
    """A configuration as it stands, or as `tipstaff init` would write it. `text` is its text."""

    path: Path
    text: str
    config: Config
    is_new: bool

    @property
    def policy(self) -> Path:
        """The folder of the rules."""
        return Path(self.config.pdp.policy.dir)

    def server(self, name: str) -> Server | None:
        """The server of that name, if it is registered."""
        return next((server for server in self.config.pep.servers if server.name == name), None)

    def catalogue_path(self, name: str) -> Path:
        """Where the catalogue of a server is."""
        return self.policy / "catalog" / name / "data.json"

    def rules_path(self, name: str) -> Path:
        """Where the rules of a server are."""
        return self.policy / "servers" / name / "data.yaml"

    def tests_path(self, name: str) -> Path:
        """Where the tests of the rules of a server are."""
        return self.policy / "servers" / name / "rules_test.rego"

    def catalogue(self, name: str) -> dict[str, Any]:
        """What was accepted of a server; empty when it has no catalogue. Raises `ConfigError`."""
        path = self.catalogue_path(name)
        text = user_file.find(path).text
        if not text:
            return {}
        try:
            value = strict_json.loads(text.encode(), strict_json.UNBOUNDED)
            tools = value["tools"]
            if not all(isinstance(entry, dict) for entry in tools.values()):
                raise TypeError("a tool is no object")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path}: not a catalogue: {error}") from error
        return dict(value)

    def closed(self, name: str, accepted: Mapping[str, Any]) -> list[str]:
        """Which of the `accepted` tools of a server its decision service keeps closed.

        Raises `ConfigError`.
        """
        known = changed_tools.Sightings(
            changed_tools_file.read(Path(self.config.pdp.policy.changes))
        )
        pins = (
            (tool, Pin(entry.get("digest", ""), entry.get("accepted", "")))
            for tool, entry in accepted.items()
        )
        return [tool for tool, pin in pins if known.seen(name, tool, pin)]

    def others(self, name: str) -> Mapping[str, list[str]]:
        """The names of the tools of every other server that has a catalogue."""
        names = sorted(path.parent.name for path in self.policy.glob("catalog/*/data.json"))
        return {
            server_name: list(self.catalogue(server_name)["tools"])
            for server_name in names
            if server_name != name
        }


def site(path: Path) -> Site:
    """The site that `path` configures, or would; raises `ConfigError`."""
    if path.exists():
        text = user_file.find(path).text
        return Site(path, text, config.parse(text, path), is_new=False)
    text = config_text.starter((), schemas.toml_line(schemas.TIPSTAFF_TOML))
    return Site(path, text, config.parse(text, path), is_new=True)


def registered(where: Site, name: str, advice: str = "") -> Server:
    """The server `name`; raises `ConfigError`, which says what is registered, and what to do."""
    known_server = where.server(name)
    if known_server is None:
        known = [server.name for server in where.config.pep.servers]
        raise ConfigError(
            f"{where.path}: there is no server {name!r}; {nearest(name, known)}. "
            f"{advice or f'`tipstaff register {name} URL` registers one'}"
        )
    return known_server


def ask(server: Server, seconds: float) -> Listing:
    """The current listing of the server; raises `TipstaffError` or `ConfigError`."""
    resolved = resolved_server(server)
    with console.err.status(f"asking {server.name} for its tools …"):
        return asyncio.run(introspect(resolved, seconds=seconds))


def place(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The place of a server as URL and command, of which one is empty."""
    url = sources.url_of(words[0]) if len(words) == 1 and not Path(words[0]).is_file() else ""
    return (url, ()) if url else ("", tuple(words))


def described(name: str, arguments: argparse.Namespace) -> Server:
    """The server that `--env`, `--bearer`, `--header` and the place tell of; raises `ConfigError`."""
    url, command = place(arguments.place)
    try:
        return Server(
            name,
            url=url,
            command=command,
            environment=dict(_pair(pair, "--env") for pair in arguments.env),
            bearer=arguments.bearer or "",
            headers=dict(_pair(pair, "--header") for pair in arguments.header),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _pair(text: str, option: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ConfigError(f"{option} {name}: write NAME=VALUE")
    return name, value


def source(server: Server) -> str:
    """The place of a server, on one line."""
    return server.url or shlex.join(server.command)


def put(old: UserFile, text: str) -> bool:
    """Write `text` in place of the file as it was read, in one step; whether that changed anything.

    Raises `ConfigError` when somebody else has written it since.
    """
    if old.status is not None and old.text == text:
        user_file.check_unchanged(old)
        return False
    user_file.replace(old, text, keeps_copy=False)
    return True


def now() -> str:
    """The time, as a catalogue tells it; fine enough that no two decisions share it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
