"""The servers that clients know, made ready to be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from pdp.errors import ConfigError
from pep.config import PepConfig, Server
from tipstaff.cli.clients.client_forms import Client, Location
from tipstaff.cli.clients.client_references import Surroundings
from tipstaff.cli.clients.client_servers import Candidate, candidates, merged
from tipstaff.cli.clients.proxies import proxies_of
from tipstaff.survey.scanned import BEHIND_TIPSTAFF, SWITCHED_OFF

AROUND = Surroundings({"KEY": "s3cret-value"}, Path("/home/ann"), Path("/srv/x"))
OURS = proxies_of(PepConfig(), is_default=True)
URL = "http://127.0.0.1:9000/mcp"


def read(
    entry: dict[str, Any],
    client: Client = "claude-code",
    level: Literal["user", "project"] = "user",
) -> Candidate:
    key = "servers" if client == "vscode" else "mcpServers"
    text = json.dumps({key: {"My files": entry}})
    (one,) = candidates(Location(client, Path("/f"), level), text, AROUND, OURS)
    return one


def server(entry: dict[str, Any], client: Client = "claude-code") -> Server:
    one = read(entry, client)
    assert one.server is not None, one.reason
    return one.server


def test_a_command_is_started_as_the_client_would() -> None:
    """With its arguments and variables, put in."""
    entry = {
        "command": "npx",
        "args": ["-y", "${KEY}", 1],
        "env": {"A": "${KEY}", "B": 1, "C": True, "D": None},
    }
    made = server(entry)
    assert made.command == ("npx", "-y", "s3cret-value", "1")
    assert made.environment == {"A": "s3cret-value", "B": "1", "C": "true"}
    assert made.name == "my_files"


def test_a_url_is_asked_with_the_header_lines_of_the_client() -> None:
    """The token as one, so that nothing sends it twice; what the transport says is its own."""
    headers = {"authorization": "bearer  ${KEY}", "X-Key": "a", "Content-Type": "x", "accept": "y"}
    made = server({"type": "http", "url": f"{URL}?k=${{KEY}}", "headers": headers})
    assert made.url == f"{URL}?k=s3cret-value"
    assert made.credentials == ((b"authorization", b"Bearer s3cret-value"), (b"x-key", b"a"))


def test_codex_has_words_of_its_own() -> None:
    """Variables are named, not referred to."""
    text = f"""
    [mcp_servers.a]
    url = "{URL}"
    bearer_token_env_var = "KEY"
    http_headers = {{X = "1"}}
    env_http_headers = {{Y = "KEY"}}
    [mcp_servers.b]
    command = "c"
    env_vars = ["KEY"]
    env = {{R = "${{KEY}}"}}
    """
    place = Location("codex", Path("/f"), "user")
    first, second = candidates(place, text, AROUND, OURS)
    assert first.server is not None
    assert first.server.bearer == "s3cret-value"
    assert first.server.headers == {"X": "1", "Y": "s3cret-value"}
    assert second.server is not None
    assert second.server.environment == {"KEY": "s3cret-value", "R": "${KEY}"}


@pytest.mark.parametrize(
    ("entry", "client", "reason"),
    [
        ({"url": f"{URL}/${{NONE}}"}, "claude-code", "NONE, which is not set here"),
        ({"url": URL, "headers": {"X": "${input:t}"}}, "vscode", "input:t, which only VS Code knows"),
        ({"url": URL, "headers": {"Authorization": "Basic s3cret-value"}}, "cursor", "no bearer token"),
        ({"url": URL, "headers": {"X": "s3cret-value\n"}}, "cursor", "X cannot stand in a header line"),
        ({"url": URL, "headers": {"Cookie": "s3cret-value"}}, "cursor", "'Cookie' cannot be a header"),
        ({"url": "ftp://x"}, "cursor", "must begin with http"),
        ({"url": "http://[s3cret-value"}, "cursor", "its URL is none"),
        ({"url": "http://x:s3cret-value/"}, "cursor", "its URL is none"),
        ({"url": URL, "disabled": True}, "cursor", SWITCHED_OFF),
        ({"command": "x", "enabled": False}, "cursor", SWITCHED_OFF),
        ({"command": "x", "envFile": ".env"}, "cursor", "envFile"),
        ({"url": URL, "headersHelper": "x"}, "claude-code", "headersHelper"),
        ({"command": "x", "cwd": "/elsewhere"}, "cursor", "started in /elsewhere"),
        ({"url": "http://localhost:8700/files/mcp"}, "cursor", BEHIND_TIPSTAFF),
        ({"command": "tipstaff", "args": ["wrap", "x", "--", "y"]}, "claude-desktop", BEHIND_TIPSTAFF),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_as_the_client_would_is_passed_over(
    entry: dict[str, Any], client: Client, reason: str
) -> None:
    """With the reason, and without a secret."""
    one = read(entry, client)
    assert one.server is None
    assert reason in one.reason
    assert "s3cret-value" not in one.reason + one.source


def test_nothing_that_is_shown_holds_a_value() -> None:
    """Neither one that stands in the file nor one of this environment."""
    for entry in (
        {
            "command": "npx",
            "args": ["--as", "s3cret-other", "${KEY}"],
            "env": {"A": "s3cret-other"},
        },
        {"url": f"{URL}?key=s3cret-other&x=${{KEY}}", "headers": {"X": "s3cret-other"}},
    ):
        one = read(entry)
        assert one.server is not None
        assert "s3cret" not in one.source + one.names + repr(one.known)


def test_what_a_projects_file_takes_from_here_and_sends_is_marked() -> None:
    """Whoever wrote it may have meant to have it."""
    for client, word in (("claude-code", "${KEY}"), ("cursor", "${env:KEY}")):
        takes: dict[str, Any] = {"url": URL, "headers": {"X": word}}
        assert read(takes, client, "project").gives_away
        assert not read(takes, client, "user").gives_away
        assert not read({"url": URL, "headers": {"X": "a"}}, client, "project").gives_away
    text = f'[mcp_servers.a]\nurl = "{URL}"\nbearer_token_env_var = "KEY"'
    (one,) = candidates(Location("codex", Path("/f"), "project"), text, AROUND, OURS)
    assert one.gives_away


def test_a_command_of_another_project_is_found_from_there_only() -> None:
    """Its path would mean another file here."""
    entry = {"command": "./server"}
    text = json.dumps(
        {"projects": {"/p": {"mcpServers": {"a": entry}}, "/srv/x": {"mcpServers": {"a": entry}}}}
    )
    there, here = candidates(Location("claude-code", Path("/f"), "user"), text, AROUND, OURS)
    assert "started in /p" in there.reason
    assert here.server is not None
    assert [one.known[0].project for one in (there, here)] == ["/p", "/srv/x"]


@pytest.mark.parametrize("text", ["[]", "{", "null"])
def test_a_file_that_cannot_be_read_is_an_error(text: str) -> None:
    """Not one without servers."""
    with pytest.raises(ConfigError):
        candidates(Location("cursor", Path("/f"), "user"), text, AROUND, OURS)


def test_what_is_no_server_is_passed_over() -> None:
    """As clients do."""
    text = json.dumps(
        {"mcpServers": {"a": None, "b": {}, "c": {"url": 1}, "d": {"command": ["x"]}}}
    )
    assert candidates(Location("cursor", Path("/f"), "user"), text, AROUND, OURS) == []


def test_the_same_server_is_told_once_with_all_who_know_it() -> None:
    """By where it is; one written with a reference is the same when that leads there."""
    entries = (
        read({"url": f"{URL}?k=s3cret-value"}, "cursor"),
        read({"url": f"{URL}?k=${{KEY}}"}),
        read({"command": "npx", "args": ["x"]}, "cursor"),
        read({"command": "npx", "args": ["x"], "env": {"A": "1"}}),
        read({"command": "npx", "args": ["y"]}),
    )
    found = merged(entries)
    assert [len(one.known) for one in found] == [2, 2, 1]
    assert [one.server.name for one in found if one.server] == [
        "my_files",
        "my_files_2",
        "my_files_3",
    ]
    assert found[0].names == "My files"


def test_of_two_entries_the_one_that_can_be_asked_is_taken() -> None:
    """And before that the one that gives nothing away."""
    asks = read({"url": URL, "headers": {"X": "${input:t}"}}, "vscode")
    gives = read({"url": URL, "headers": {"X": "${KEY}"}}, "claude-code", "project")
    plain = read({"url": URL, "headers": {"X": "a"}}, "cursor")
    for entries in ((asks, gives, plain), (plain, gives, asks)):
        (one,) = merged(entries)
        assert one.server is not None
        assert one.server.headers == {"X": "a"}
        assert not one.gives_away
        assert {who.client for who in one.known} == {"vscode", "claude-code", "cursor"}
    (one,) = merged((asks, gives))
    assert one.gives_away
