"""The MCP clients as one table: where each keeps its configuration, and in which form.

Pure: texts in, texts out; `client_config` has the files. A file is never written anew: what is
wanted is spliced into it, and a file that cannot be changed without loss is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from pdp.errors import ConfigError
from tipstaff.cli.clients import client_entries as entries
from tipstaff.cli.clients import client_reading, splice
from tipstaff.cli.clients.client_entries import Connection, Entry
from tipstaff.cli.clients.client_reading import EVERY, ClientServer, Language

Client = Literal["claude-code", "claude-desktop", "cursor", "vscode", "windsurf", "codex"]


class Place(Struct, frozen=True):
    """A path below the home, the project or the user's settings folder."""

    base: Literal["home", "project", "settings", "store"]
    path: str


class Location(Struct, frozen=True):
    """A file in which a client's configuration may stand."""

    client: Client
    path: Path
    level: Literal["user", "project"]


class Form(Struct, frozen=True):
    """One client's row."""

    title: str
    """What people call the client."""
    entry: Callable[[Connection], Entry]
    """What it is told of one server."""
    places: tuple[Place, ...]
    """Where it looks; the first is where `client-config` writes."""
    groups: tuple[tuple[str, ...], ...] = (("mcpServers",),)
    """The keys under which servers stand in its files; the first is where `client-config` writes."""
    language: Language = "json"
    """What its files are written in."""
    token_note: Callable[[str, Connection], str] = entries.token_note
    """How it comes to the token."""

    @property
    def top(self) -> str:
        """The key under which a new entry goes."""
        return self.groups[0][0]


_DESKTOP = "Claude/claude_desktop_config.json"
FORMS: Mapping[Client, Form] = MappingProxyType(
    {
        "claude-code": Form(
            "Claude Code",
            entries.claude_code,
            (Place("project", ".mcp.json"), Place("home", ".claude.json")),
            (("mcpServers",), ("projects", EVERY, "mcpServers")),
        ),
        "claude-desktop": Form(
            "Claude Desktop",
            entries.claude_desktop,
            # The second is where Windows keeps the settings of an app from its store.
            (
                Place("settings", _DESKTOP),
                Place("store", f"Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/{_DESKTOP}"),
            ),
            token_note=entries.desktop_token_note,
        ),
        "cursor": Form(
            "Cursor",
            entries.cursor,
            (Place("home", ".cursor/mcp.json"), Place("project", ".cursor/mcp.json")),
        ),
        "vscode": Form(
            "VS Code",
            entries.vscode,
            (
                Place("project", ".vscode/mcp.json"),
                Place("project", ".vscode/settings.json"),
                Place("settings", "Code/User/mcp.json"),
                Place("settings", "Code/User/settings.json"),
                Place("settings", "Code - Insiders/User/mcp.json"),
            ),
            (("servers",), ("mcp", "servers")),
            token_note=entries.vscode_token_note,
        ),
        "windsurf": Form(
            "Windsurf",
            entries.windsurf,
            # The others are those of its plugin for other editors, and of the agent after it.
            (
                Place("home", ".codeium/windsurf/mcp_config.json"),
                Place("home", ".codeium/mcp_config.json"),
                Place("home", ".config/devin/config.json"),
                Place("project", ".devin/config.json"),
            ),
        ),
        "codex": Form(
            "Codex",
            entries.codex,
            (Place("home", ".codex/config.toml"), Place("project", ".codex/config.toml")),
            (("mcp_servers",),),
            "toml",
        ),
    }
)
CLIENTS: tuple[Client, ...] = tuple(FORMS)


def locations(home: Path, cwd: Path, platform: str) -> list[Location]:
    """Every file in which a client's configuration may stand, whether it is there or not.

    `platform` is as in `sys.platform`. Each client's first is where `client-config` writes.
    """
    return [
        Location(client, folder / place.path, "project" if place.base == "project" else "user")
        for client, form in FORMS.items()
        for place in form.places
        if (folder := _folder(place, home, cwd, platform))
    ]


def _folder(place: Place, home: Path, cwd: Path, platform: str) -> Path | None:
    settings = {"darwin": "Library/Application Support", "win32": "AppData/Roaming"}
    return {
        "home": home,
        "project": cwd,
        "settings": home / settings.get(platform, ".config"),
        "store": home / "AppData/Local" if platform == "win32" else None,
    }[place.base]


def servers_in(client: Client, text: str) -> list[ClientServer]:
    """The servers in a client's file, read leniently; raises `ConfigError`."""
    form = FORMS[client]
    return client_reading.read(text, form.language, form.groups)


def merged(client: Client, text: str, connection: Connection) -> str:
    """The client's file `text`, saying what is wanted and, byte for byte, all else that it said.

    The very same text when it says so already. Raises `ConfigError` when it cannot be changed
    without loss; the message says what is the matter with the text, and names no file.
    """
    form = FORMS[client]
    entry, keys = form.entry(connection), (form.top, connection.name)
    if client == "vscode" and connection.needs_token and not connection.token_env:
        text = _with_question(text)
    if standing(client, text, connection.name) == entry:
        return text
    if form.language == "toml":
        return splice.with_section(text, keys, entry)
    return splice.with_member(text, keys, entry)


def _with_question(text: str) -> str:
    """VS Code's text with the question for the token in it; one with that id is left as it is."""
    inputs = splice.json_data(text).get("inputs", [])
    if not isinstance(inputs, list):
        raise ConfigError("inputs holds something else than a list")
    if any(isinstance(entry, dict) and entry.get("id") == entries.INPUT for entry in inputs):
        return text
    return splice.with_member(text, ("inputs",), [*inputs, entries.vscode_question()])


def standing(client: Client, text: str, name: str) -> Any:
    """The entry of the server `name` in the client's file, or `None`; raises `ConfigError`."""
    form = FORMS[client]
    data = splice.toml_data(text) if form.language == "toml" else splice.json_data(text)
    servers = data.get(form.top)
    return servers.get(name) if isinstance(servers, dict) else None


def notes(client: Client, connection: Connection) -> Iterator[str]:
    """What people must know beside the entry, a sentence or two each."""
    form = FORMS[client]
    if client == "claude-code":
        yield f"Claude Code writes the same by itself with\n  {entries.one_liner(connection)}"
    if client == "windsurf":
        yield (
            "Cascade reads this file. Devin Local, the agent after it, is told with\n"
            f"  devin mcp add {connection.name} {connection.url}"
        )
    if client == "claude-desktop":
        yield from entries.desktop_notes(form.title, connection)
        if connection.command:
            return
    if connection.needs_token:
        yield form.token_note(form.title, connection)
    yield from entries.http_notes(form.title, connection)
