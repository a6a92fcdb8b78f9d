"""The configuration entry of one server in each MCP client's own format, and notes for people.

Pure. No entry ever holds a secret: a token is named by an environment variable, a question or a
file, as the client itself understands it. What clients read was taken from their documentation,
which is named with each form.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

Entry: TypeAlias = dict[str, Any]

# Before 0.1.16 this bridge ran commands that a server chose (CVE-2025-6514), and an unpinned npx
# runs whatever is published next.
BRIDGE = "mcp-remote@0.15.1"
TOKEN_ENV = "TIPSTAFF_TOKEN"  # noqa: S105 - a name
INPUT = "tipstaff-token"
"""The id under which VS Code asks for the token."""


class Connection(Struct, frozen=True):
    """How a client reaches one server: URL or command, and its credential."""

    name: str
    """The server, as it is registered."""
    url: str
    """Its URL at the proxy."""
    accept: tuple[str, ...] = ()
    """What proves to it who calls."""
    token_env: str = ""
    """The environment variable that holds the token; empty: the client's own best way."""
    passthrough: bool = False
    """Whether it gets the caller's own Authorization header."""
    command: tuple[str, ...] = ()
    """How it is started, where it is one that speaks stdio."""
    environment: Mapping[str, str] = MappingProxyType({})
    """What the configuration gives its process: texts and references."""
    start: tuple[str, ...] = ("tipstaff",)
    """How Tipstaff itself is started on this machine."""
    config: str = "tipstaff.toml"
    """The absolute path of Tipstaff's configuration."""
    opa: str = ""
    """The opa binary, where neither the configuration nor the cache has it."""
    header_file: str = ""
    """Where a bridge is to find the header line with the token."""

    @property
    def needs_token(self) -> bool:
        """Whether the caller authenticates with a bearer token."""
        return bool({"token", "jwt"} & set(self.accept))

    @property
    def variable(self) -> str:
        """The environment variable that is named where one is."""
        return self.token_env or TOKEN_ENV


def claude_code(connection: Connection) -> Entry:
    """`${VAR}` is put in from the environment (code.claude.com/docs/en/mcp)."""
    return {
        "type": "http",
        "url": connection.url,
        **_headers(connection, f"${{{connection.variable}}}"),
    }


def cursor(connection: Connection) -> Entry:
    """`${env:VAR}` is put in from the environment (cursor.com/docs/mcp)."""
    return {"url": connection.url, **_headers(connection, f"${{env:{connection.variable}}}")}


def windsurf(connection: Connection) -> Entry:
    """As Cursor, under another key (docs.windsurf.com/windsurf/cascade/mcp)."""
    return {"serverUrl": connection.url, **_headers(connection, f"${{env:{connection.variable}}}")}


def vscode(connection: Connection) -> Entry:
    """Asks once and keeps the answer (code.visualstudio.com, MCP configuration reference)."""
    token = f"${{env:{connection.token_env}}}" if connection.token_env else f"${{input:{INPUT}}}"
    return {"type": "http", "url": connection.url, **_headers(connection, token)}


def vscode_question() -> Entry:
    """The element of VS Code's `inputs` that makes it ask for the token."""
    description = "A token of the MCP gateway (tipstaff token create)"
    return {"type": "promptString", "id": INPUT, "description": description, "password": True}


def codex(connection: Connection) -> Entry:
    """Takes the name of a variable, and refuses a token (developers.openai.com/codex/mcp)."""
    token = {"bearer_token_env_var": connection.variable} if connection.needs_token else {}
    return {"url": connection.url, **token}


def claude_desktop(connection: Connection) -> Entry:
    """Its file starts commands only (support.claude.com): the wrapper where it can be, or a bridge.

    What it starts is given PATH, HOME and the like, but no variable of the user's
    (modelcontextprotocol.io, debugging): so the bridge reads the token from a file.
    """
    if connection.command:
        program, *arguments = connection.start
        arguments += [
            "wrap",
            "-c",
            connection.config,
            *(["--opa", connection.opa] if connection.opa else []),
        ]
        arguments += [connection.name, "--", *connection.command]
        plain = {key: text for key, text in connection.environment.items() if not _refers(text)}
        return {"command": program, "args": arguments, **({"env": plain} if plain else {})}
    url, flags = urlsplit(connection.url), []
    if url.scheme == "http" and url.hostname not in {"localhost", "127.0.0.1"}:
        flags.append("--allow-http")
    if connection.needs_token and connection.token_env:
        flags += ["--header", f"Authorization: Bearer ${{{connection.token_env}}}"]
    elif connection.needs_token:
        flags += ["--header-file", connection.header_file]
    return {"command": "npx", "args": ["-y", BRIDGE, connection.url, *flags]}


def one_liner(connection: Connection) -> str:
    """The command by which Claude Code writes its entry itself.

    The name and the URL come before `--header`, which would take them for more headers.
    """
    words = ["claude", "mcp", "add", "--transport", "http", "--scope", "project"]
    words += [connection.name, connection.url]
    for name, value in claude_code(connection).get("headers", {}).items():
        words += ["--header", f"{name}: {value}"]
    return shlex.join(words)


def token_note(title: str, connection: Connection) -> str:
    """Note for clients that read the token from their environment."""
    return (
        f"Where {title} starts, {connection.variable} must hold the caller's token: "
        "tipstaff token create NAME makes one."
    )


def vscode_token_note(title: str, connection: Connection) -> str:
    """Note on the token for VS Code."""
    if connection.token_env:
        return token_note(title, connection)
    return (
        f"{title} asks for the token once and keeps it (tipstaff token create NAME makes one); "
        "with --token-env VARIABLE it reads its environment instead."
    )


def desktop_token_note(title: str, connection: Connection) -> str:
    """Note on the token for Claude Desktop."""
    if connection.token_env:
        return (
            f"{title} hands PATH, HOME and the like on to what it starts, but not "
            f"{connection.token_env}: it would have to stand in the entry's env, in clear. "
            "Without --token-env the bridge reads the token from a file."
        )
    line = f"printf 'Authorization: Bearer %s\\n' \"${connection.variable}\""
    return (
        "The bridge reads the token from a file for you alone; with the token in "
        f"{connection.variable}, make it so:\n"
        f"  (umask 077; {line} > {shlex.quote(connection.header_file)})"
    )


def http_notes(title: str, connection: Connection) -> Iterator[str]:
    """Notes for any client that is configured with the URL."""
    if "jwt" in connection.accept:
        yield (
            "A client that can sign in by OAuth needs no header: without it, it finds the issuer "
            "by itself."
        )
    if connection.accept and not {"token", "jwt", "anonymous"} & set(connection.accept):
        yield f"{title} must show a client certificate here, which this entry cannot say."
    if connection.passthrough:
        yield (
            f"{connection.name} is handed the caller's own Authorization header "
            '(auth = "passthrough"): add it to the entry as that server wants it.'
        )
    if urlsplit(connection.url).hostname in {"0.0.0.0", "::"}:  # noqa: S104 - nothing is bound
        yield "That URL is no address to call: say in [pep] public_url how clients reach the proxy."


def desktop_notes(title: str, connection: Connection) -> Iterator[str]:
    """Notes for Claude Desktop."""
    if connection.command:
        named = ", ".join(key for key, text in connection.environment.items() if _refers(text))
        if named:
            yield f"{title} knows no references: give {named} to the server in the entry's env."
        return
    yield f"{title}'s file only starts commands: this one is a bridge to the URL, and needs Node."
    if connection.url.startswith("https:"):
        yield (
            "If the internet can reach the URL, add it under Settings > Connectors instead: "
            f"{connection.url}"
        )
    else:
        yield (
            "Settings > Connectors takes https URLs that the internet can reach, which this is not."
        )


def _headers(connection: Connection, token: str) -> Entry:
    return {"headers": {"Authorization": f"Bearer {token}"}} if connection.needs_token else {}


def _refers(text: str) -> bool:
    return text.startswith(("env:", "file:"))
