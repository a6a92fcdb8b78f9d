"""Where servers are, without secrets; and names for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.config import Server
from tipstaff.cli.servers.sources import (
    name_of,
    place_name,
    shown,
    shown_command,
    shown_url,
    unique,
    url_of,
)

SECRETS = (
    "ghp_0123456789abcdefghij",
    "YjdkZWU0NzItOGQ1OS00AbC12",
    "2b1c2f3e-1111-2222-3333-444455556666",
    "0123456789abcdef0123456789abcdef",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_in_a_path_or_a_query_is_not_shown(secret: str) -> None:
    """Some servers know their users by the URL alone."""
    for url in (f"https://x.example/s/{secret}/mcp", f"https://x.example/mcp?k={secret}"):
        assert secret not in shown_url(url)
        assert shown_url(url).startswith("https://x.example/")
        assert secret not in shown_command(["npx", "mcp-remote", url])


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_in_a_command_is_not_shown(secret: str) -> None:
    """By its look, by the word before it, or by the name it is given to."""
    for words in (["x", secret], ["x", f"--key={secret}"], ["x", "-e", f"NAME={secret}"]):
        assert secret not in shown_command(words)


@pytest.mark.parametrize(
    "words",
    [
        ["x", "--api-key", "hunter2"],
        ["x", "--token=hunter2"],
        ["docker", "run", "-e", "API_KEY=hunter2"],
        ["x", "postgresql://user:hunter2@db/x"],
        ["x", "--header", "Authorization: Bearer hunter2"],
    ],
)
def test_a_secret_that_looks_like_none_is_known_by_what_stands_before_it(words: list[str]) -> None:
    """As in records."""
    assert "hunter2" not in shown_command(words)
    assert "hunter2" not in place_name("", words)


def test_what_a_variable_holds_is_not_shown_where_an_argument_holds_it_too() -> None:
    """But everyday words are."""
    assert (
        shown_command(["x", "--as=plain-words", "on"], ["plain-words", "on"])
        == "x '--as=[masked]' on"
    )


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:9000/mcp", "http://127.0.0.1:9000/mcp"),
        ("https://mcp.example.com/v1/tools-and-more/mcp", "https://mcp.example.com/v1/tools-and-more/mcp"),
        ("https://me:secret@x.example/mcp", "https://[masked]@x.example/mcp"),
        ("https://x.example/a\u202eb#part", r"https://x.example/a\u{202e}b"),
        ("http://[bad", "http://…"),
        ("http://x:secret/", "http://…"),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_shown(url: str, text: str) -> None:
    """Else nobody would know which server it is."""
    assert shown_url(url) == text


def test_a_command_can_be_read_and_started_again() -> None:
    """Packages, versions and folders are no keys."""
    words = ["npx", "-y", "@modelcontextprotocol/server-filesystem@2025.9.12", "/srv/a b"]
    assert shown_command(words) == " ".join([*words[:3], "'/srv/a b'"])
    assert shown("", words) == shown_command(words)
    assert shown("http://x/mcp", ()) == "http://x/mcp"


def test_a_command_line_is_one_line() -> None:
    """Whoever is asked whether to start it must see all of it."""
    assert shown_command(["x", "a\nb\x1b[2J"]) == r"x 'a b\u{1b}[2J'"


@pytest.mark.parametrize(
    ("url", "command", "name"),
    [
        ("https://mcp.notion.com/mcp", (), "mcp_notion_com"),
        ("http://127.0.0.1:9/mcp", (), "server"),
        ("http://[::1]:9/mcp", (), "server"),
        ("http://[bad", (), "server"),
        ("", ("npx", "-y", "@scope/server-files@1.2", "/srv"), "server_files"),
        ("", ("node", "dist/everything.js"), "everything"),
        ("", ("/opt/bin/mcp-server-git",), "mcp_server_git"),
        ("", ("docker", "run", "-e", "KEY=v"), "server"),
    ],
)
def test_a_server_is_named_by_where_it_is(url: str, command: tuple[str, ...], name: str) -> None:
    """What starts it is no name, nor is an address."""
    assert place_name(url, command) == name


@given(st.text())
def test_any_text_makes_a_name_that_can_be_registered(text: str) -> None:
    """Also one of no letter."""
    assert Server(name_of(text), url="http://x/mcp")
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name_of(text))


def test_a_name_that_is_taken_gets_a_number() -> None:
    """The first that is free."""
    assert unique("a", {"b"}) == "a"
    assert unique("a", {"a", "a_2"}) == "a_3"


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("http://x/mcp", "http://x/mcp"),
        ("https://x:9/mcp", "https://x:9/mcp"),
        ("127.0.0.1:9011/mcp", "http://127.0.0.1:9011/mcp"),
        ("127.0.0.1:9011", "http://127.0.0.1:9011"),
        ("localhost:9011/mcp?x=1", "http://localhost:9011/mcp?x=1"),
        ("localhost/mcp", "http://localhost/mcp"),
        ("[::1]:9011/mcp", "http://[::1]:9011/mcp"),
        ("mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("mcp.example.invalid/mcp", "https://mcp.example.invalid/mcp"),
        ("mcp.example.com:8443", "https://mcp.example.com:8443"),
        ("files:9000/mcp", "https://files:9000/mcp"),
        ("10.0.0.7:9000/mcp", "https://10.0.0.7:9000/mcp"),
    ],
)
def test_an_address_without_a_scheme_is_a_url(word: str, url: str) -> None:
    """On this machine over http; elsewhere over https, since anybody on the way reads http."""
    assert url_of(word) == url


@pytest.mark.parametrize(
    "word",
    ["npx", "./server", "/srv/bin/server.sh", "server.py", "bin/server", "a.b/c", "x:y"],
)
def test_a_program_is_no_url(word: str) -> None:
    """Also one with a dot, a colon or a folder."""
    assert url_of(word) == ""
