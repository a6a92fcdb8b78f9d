"""What each client is told, and what people are told beside it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from msgspec import structs

from tipstaff.cli.clients import client_entries as entries
from tipstaff.cli.clients.client_entries import BRIDGE, Connection
from tipstaff.cli.clients.client_forms import CLIENTS, FORMS, Client, notes

URL = "http://127.0.0.1:8700/files/mcp"
OPEN = Connection("files", URL)
TOKEN = Connection("files", URL, ("token",), header_file="/h/my files/x.header")
LOCAL = Connection(
    "files",
    URL,
    ("token",),
    command=("npx", "server", "/srv"),
    environment={"LEVEL": "debug", "KEY": "env:KEY", "CERT": "file:/c"},
    start=("/opt/tipstaff",),
    config="/etc/tipstaff.toml",
)


def told(client: Client, wanted: Connection) -> str:
    return "\n".join(notes(client, wanted))


@pytest.mark.parametrize(
    ("client", "entry"),
    [
        ("claude-code", {"type": "http", "url": URL}),
        ("cursor", {"url": URL}),
        ("vscode", {"type": "http", "url": URL}),
        ("windsurf", {"serverUrl": URL}),
        ("codex", {"url": URL}),
        ("claude-desktop", {"command": "npx", "args": ["-y", BRIDGE, URL]}),
    ],
)
def test_each_client_is_given_the_url_in_its_own_words(client: Client, entry: Any) -> None:
    """And nothing else, where anybody may call."""
    assert FORMS[client].entry(OPEN) == entry
    assert FORMS[client].entry(structs.replace(OPEN, accept=("anonymous", "mtls"))) == entry


@pytest.mark.parametrize(
    ("client", "value"),
    [
        ("claude-code", "Bearer ${TIPSTAFF_TOKEN}"),
        ("cursor", "Bearer ${env:TIPSTAFF_TOKEN}"),
        ("windsurf", "Bearer ${env:TIPSTAFF_TOKEN}"),
        ("vscode", "Bearer ${input:tipstaff-token}"),
    ],
)
@pytest.mark.parametrize("accept", [("token",), ("jwt", "anonymous")])
def test_a_token_is_named_in_the_clients_own_syntax(
    client: Client, value: str, accept: tuple[str, ...]
) -> None:
    """Never told."""
    entry = FORMS[client].entry(structs.replace(OPEN, accept=accept))
    assert entry["headers"] == {"Authorization": value}


def test_another_variable_can_be_named() -> None:
    """VS Code then reads it too, instead of asking."""
    wanted = structs.replace(TOKEN, token_env="MINE")
    assert entries.claude_code(wanted)["headers"]["Authorization"] == "Bearer ${MINE}"
    assert entries.cursor(wanted)["headers"]["Authorization"] == "Bearer ${env:MINE}"
    assert entries.vscode(wanted)["headers"]["Authorization"] == "Bearer ${env:MINE}"
    assert entries.codex(wanted) == {"url": URL, "bearer_token_env_var": "MINE"}
    assert entries.claude_desktop(wanted)["args"][3:] == [
        "--header",
        "Authorization: Bearer ${MINE}",
    ]


def test_codex_takes_the_name_of_a_variable() -> None:
    """By default the one of Tipstaff's."""
    assert entries.codex(TOKEN) == {"url": URL, "bearer_token_env_var": "TIPSTAFF_TOKEN"}


def test_claude_desktop_starts_the_wrapper_where_there_is_a_command() -> None:
    """With absolute paths, and with what of the environment is no reference."""
    assert entries.claude_desktop(LOCAL) == {
        "command": "/opt/tipstaff",
        "args": ["wrap", "-c", "/etc/tipstaff.toml", "files", "--", "npx", "server", "/srv"],
        "env": {"LEVEL": "debug"},
    }
    module = structs.replace(
        LOCAL, start=("/python", "-m", "tipstaff"), opa="/opa", environment={}, command=("x",)
    )
    assert entries.claude_desktop(module) == {
        "command": "/python",
        "args": [
            *("-m", "tipstaff", "wrap", "-c", "/etc/tipstaff.toml", "--opa", "/opa"),
            *("files", "--", "x"),
        ],
    }


def test_claude_desktop_reads_the_token_for_a_url_from_a_file() -> None:
    """It hands no variable of the user's to what it starts, and arguments are there for all to see."""
    args = entries.claude_desktop(TOKEN)["args"]
    assert args == ["-y", BRIDGE, URL, "--header-file", "/h/my files/x.header"]


def test_the_bridge_is_of_one_version() -> None:
    """And not of one in which servers could run commands."""
    name, _, version = BRIDGE.partition("@")
    assert name == "mcp-remote"
    assert tuple(map(int, version.split("."))) >= (0, 1, 16)


def test_the_bridge_is_allowed_plain_http_beyond_this_machine_only_where_that_is_the_url() -> None:
    """It asks to be told."""
    for url, flags in (
        ("http://gate.lan:8700/files/mcp", ["--allow-http"]),
        ("http://[::1]:8700/files/mcp", ["--allow-http"]),
        ("https://gate.example/files/mcp", []),
        ("http://localhost:8700/files/mcp", []),
    ):
        assert entries.claude_desktop(Connection("files", url))["args"][3:] == flags


def test_the_command_for_claude_code_is_safe_in_a_shell() -> None:
    """The variable is for Claude Code to read, not for the shell; the header stands last."""
    line = entries.one_liner(TOKEN)
    assert line.endswith(f"files {URL} --header 'Authorization: Bearer ${{TIPSTAFF_TOKEN}}'")
    assert shlex.split(line)[:3] == ["claude", "mcp", "add"]
    assert "--header" not in entries.one_liner(OPEN)
    assert line in told("claude-code", TOKEN)


@pytest.mark.parametrize("client", CLIENTS)
def test_how_the_client_comes_to_the_token_is_told(client: Client) -> None:
    """Where it needs one."""
    assert "tipstaff token" in told(client, TOKEN) or "TIPSTAFF_TOKEN" in told(client, TOKEN)
    assert "oken" not in told(client, OPEN)


def test_the_file_for_the_bridge_is_made_by_a_line_that_is_told() -> None:
    """Readable by its owner only, and safe in a shell."""
    text = told("claude-desktop", TOKEN)
    assert "umask 077" in text
    assert "> '/h/my files/x.header')" in text
    mine = structs.replace(TOKEN, token_env="MINE")
    assert "in clear" in told("claude-desktop", mine)
    assert "MINE must hold" in told("vscode", mine)


def test_what_an_entry_cannot_say_is_told() -> None:
    """Signing in, client certificates, headers for the server, an address that is none."""
    assert "OAuth" in told("cursor", structs.replace(OPEN, accept=("jwt",)))
    assert "certificate" in told("cursor", structs.replace(OPEN, accept=("mtls",)))
    assert "certificate" not in told("cursor", structs.replace(OPEN, accept=("mtls", "token")))
    assert "passthrough" in told("cursor", structs.replace(OPEN, passthrough=True))
    assert "public_url" in told("cursor", Connection("files", "http://0.0.0.0:8700/files/mcp"))
    assert told("cursor", OPEN) == ""


def test_the_agent_after_cascade_is_told_another_way() -> None:
    """It reads another file."""
    assert f"devin mcp add files {URL}" in told("windsurf", OPEN)


def test_what_claude_desktop_can_do_with_a_url_is_told() -> None:
    """Settings > Connectors is for what the internet can reach."""
    assert "which this is not" in told("claude-desktop", OPEN)
    url = "https://gate.example/files/mcp"
    assert f"Connectors instead: {url}" in told("claude-desktop", Connection("files", url))


def test_references_for_a_wrapped_server_are_left_to_its_owner_by_name() -> None:
    """What proves a caller to the proxy has no part in it."""
    text = told("claude-desktop", LOCAL)
    assert "KEY, CERT" in text
    assert "LEVEL" not in text
    assert "header" not in text
