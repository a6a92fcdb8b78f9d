"""The table of clients: where they look, what is found there, and what is put there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pdp.errors import ConfigError
from tipstaff.cli.clients.client_entries import Connection
from tipstaff.cli.clients.client_forms import (
    CLIENTS,
    FORMS,
    Client,
    locations,
    merged,
    servers_in,
    standing,
)

URL = "http://127.0.0.1:8700/files/mcp"
WANTED = Connection("files", URL, ("token",), header_file="/h")
HOME, HERE = Path("/home/ann"), Path("/srv/x")


def data_of(client: Client, text: str) -> dict[str, Any]:
    return tomllib.loads(text) if client == "codex" else json.loads(text)


def paths(client: Client, platform: str) -> list[str]:
    found = locations(HOME, HERE, platform)
    return [one.path.as_posix() for one in found if one.client == client]


@pytest.mark.parametrize(
    ("client", "path"),
    [
        ("claude-code", "/srv/x/.mcp.json"),
        ("claude-desktop", "/home/ann/.config/Claude/claude_desktop_config.json"),
        ("cursor", "/home/ann/.cursor/mcp.json"),
        ("vscode", "/srv/x/.vscode/mcp.json"),
        ("windsurf", "/home/ann/.codeium/windsurf/mcp_config.json"),
        ("codex", "/home/ann/.codex/config.toml"),
    ],
)
def test_the_first_place_is_the_one_to_write_to(client: Client, path: str) -> None:
    """Of the project where a client's custom is to share it."""
    assert paths(client, "linux")[0] == path


def test_settings_are_where_the_system_keeps_them() -> None:
    """Three systems, three folders; and a fourth for apps from the store of Windows."""
    name = "Claude/claude_desktop_config.json"
    assert paths("claude-desktop", "darwin") == [
        f"/home/ann/Library/Application Support/{name}",
    ]
    roaming, store = paths("claude-desktop", "win32")
    assert roaming == f"/home/ann/AppData/Roaming/{name}"
    assert store.startswith("/home/ann/AppData/Local/Packages/Claude_")
    assert "/home/ann/.config/Code/User/mcp.json" in paths("vscode", "linux")


def test_places_of_the_user_and_of_the_project_are_told_apart() -> None:
    """Every client has one of the user's."""
    for one in locations(HOME, HERE, "linux"):
        assert (one.level == "project") == one.path.is_relative_to(HERE)
    assert {one.client for one in locations(HOME, HERE, "linux") if one.level == "user"} == set(
        CLIENTS
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_put_into_nothing_is_found_again(client: Client) -> None:
    """By the very reader that looks for servers in the files of clients."""
    text = merged(client, "", WANTED)
    (server,) = servers_in(client, text)
    assert server.name == "files"
    assert server.url == URL or URL in server.args
    assert standing(client, text, "files") == FORMS[client].entry(WANTED)


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_there_already_is_the_very_same_text(client: Client) -> None:
    """However it is laid out."""
    text = merged(client, "", WANTED)
    if client != "codex":
        text = json.dumps(json.loads(text))
    assert merged(client, text, WANTED) is text


@pytest.mark.parametrize("client", CLIENTS)
def test_everything_else_is_kept(client: Client) -> None:
    """Other servers, and keys that nobody here knows."""
    top = FORMS[client].top
    old = (
        f'theme = "dark"\n[{top}.other]\nurl = "u"\n'
        if client == "codex"
        else json.dumps({"theme": "dark", top: {"other": {"url": "u"}}}, indent=2)
    )
    data = data_of(client, merged(client, old, WANTED))
    assert data["theme"] == "dark"
    assert list(data[top]) == ["other", "files"]
    assert data[top]["other"] == {"url": "u"}


@pytest.mark.parametrize("client", CLIENTS)
def test_another_entry_of_the_name_is_replaced_whole(client: Client) -> None:
    """A command left beside a URL would be read first."""
    top = FORMS[client].top
    old = (
        f'[{top}.files]\ncommand = "npx"\n[{top}.files.env]\nA = "1"\n'
        if client == "codex"
        else json.dumps({top: {"files": {"command": "npx", "env": {"A": "1"}}}})
    )
    data = data_of(client, merged(client, old, WANTED))
    assert data[top] == {"files": FORMS[client].entry(WANTED)}


def test_vscode_asks_for_the_token_once_for_all_servers() -> None:
    """A question of that name that is there already is left as it is."""
    text = merged("vscode", '{"inputs": [{"id": "x"}]}', WANTED)
    assert [one["id"] for one in json.loads(text)["inputs"]] == ["x", "tipstaff-token"]
    both = merged("vscode", text, structs.replace(WANTED, name="other"))
    assert json.loads(both)["inputs"] == json.loads(text)["inputs"]
    mine = '{"inputs": [{"id": "tipstaff-token", "type": "command"}]}'
    assert json.loads(merged("vscode", mine, WANTED))["inputs"] == json.loads(mine)["inputs"]


def test_vscode_does_not_ask_where_nothing_is_to_be_asked() -> None:
    """Neither without a token, nor where the environment has it."""
    for wanted in (structs.replace(WANTED, accept=()), structs.replace(WANTED, token_env="T")):
        assert "inputs" not in json.loads(merged("vscode", "", wanted))


def test_a_question_that_is_missing_is_put_back() -> None:
    """Though the entry itself is there."""
    text = json.loads(merged("vscode", "", WANTED))
    del text["inputs"]
    new = json.loads(merged("vscode", json.dumps(text), WANTED))
    assert new["inputs"][0]["password"] is True


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("text", ['// mine\n{"a": 1}', "[]", '{"inputs": 1, "mcpServers": 2}'])
def test_a_text_that_would_lose_something_is_refused(client: Client, text: str) -> None:
    """It is for people to change."""
    with pytest.raises(ConfigError):
        merged(client, text, WANTED)


def test_comments_do_not_keep_servers_from_being_found() -> None:
    """To read is not to write."""
    text = '{"servers": {"a": {"url": "u"}}, /* old: */ "mcp": {"servers": {"b": {"url": "v"}},}}'
    assert [one.name for one in servers_in("vscode", text)] == ["a", "b"]
    with pytest.raises(ConfigError):
        servers_in("vscode", "{")


def test_claude_code_knows_servers_for_one_folder_only() -> None:
    """The file of the user holds them all."""
    text = '{"projects": {"/p": {"mcpServers": {"a": {"type": "stdio", "command": "c"}}}}}'
    (server,) = servers_in("claude-code", text)
    assert (server.name, server.command, server.project) == ("a", "c", "/p")
