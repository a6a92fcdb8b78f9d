"""Servers found in files as clients and people leave them."""

from __future__ import annotations

import pytest

from pdp.errors import ConfigError
from tipstaff.cli.clients.client_reading import EVERY, ClientServer, read

TOP = (("mcpServers",),)


def test_comments_and_commas_too_many_are_passed_over() -> None:
    """But not inside of strings."""
    text = """\ufeff{
      // "no": 1
      "mcpServers": { /* "a": {"url": "no"}, */
        "a": {"url": "http://x//y,]/*z*/", "headers": {"X-Key": "s", },}, // end
      },
    }"""
    assert read(text, "json", TOP) == [
        ClientServer("a", url="http://x//y,]/*z*/", headers=("X-Key",))
    ]


def test_a_command_is_told_with_its_arguments_and_the_names_of_its_variables() -> None:
    """No value of a variable or of a header."""
    text = '{"mcpServers": {"a": {"command": "npx", "args": ["-y", 1], "env": {"KEY": "secret"}}}}'
    (server,) = read(text, "json", TOP)
    assert server == ClientServer("a", command="npx", args=("-y", "1"), environment=("KEY",))
    assert "secret" not in str(server)


def test_the_names_of_codex_are_known() -> None:
    """Its variables may be a list, and its headers have three keys."""
    text = """
    [mcp_servers.a]
    url = "u"
    bearer_token_env_var = "T"
    http_headers = {X = "1"}
    env_http_headers = {Y = "V", X = "W"}
    [mcp_servers.b]
    command = "c"
    env_vars = ["P", {name = "Q", source = "local"}]
    env = {R = "1"}
    """
    assert read(text, "toml", (("mcp_servers",),)) == [
        ClientServer("a", url="u", headers=("X", "Y", "Authorization")),
        ClientServer("b", command="c", environment=("R", "P", "Q")),
    ]


def test_every_project_is_looked_into() -> None:
    """And told with its servers."""
    text = """{"mcpServers": {"a": {"url": "1"}}, "projects": {
      "/p": {"mcpServers": {"a": {"serverUrl": "2"}}}, "/q": {}, "/r": null}}"""
    found = read(text, "json", (*TOP, ("projects", EVERY, "mcpServers")))
    assert found == [ClientServer("a", url="1"), ClientServer("a", url="2", project="/p")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "{}",
        '{"mcpServers": []}',
        '{"mcpServers": {"a": null, "b": {}, "c": {"url": 1}, "d": {"command": ["x"]}}}',
    ],
)
def test_what_is_no_server_is_passed_over(text: str) -> None:
    """Clients do the same."""
    assert read(text, "json", TOP) == []


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 100_000, '{"a": "unfinished}'])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    """Not a file without servers."""
    with pytest.raises(ConfigError):
        read(text, "json", TOP)


def test_toml_that_cannot_be_read_is_an_error() -> None:
    """There is nothing to be lenient about."""
    with pytest.raises(ConfigError, match=r"^not TOML"):
        read("a = = b", "toml", TOP)
