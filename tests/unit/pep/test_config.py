"""What the proxy can be told; what cannot work is refused before it starts."""

from __future__ import annotations

from typing import Any

import pytest

from pep.config import PepConfig, Server, listen_address


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)  # fmt: skip
def test_an_address_is_host_and_port(text: str, wanted: tuple[str, int]) -> None:
    """IPv6 in brackets."""
    assert listen_address(text) == wanted


@pytest.mark.parametrize("text", ["", "80", ":80", "a:", "a:b", "a:65536", "a:-1"])
def test_anything_else_is_no_address(text: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValueError, match="write HOST:PORT"):
        listen_address(text)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a b", "a/b", "a" * 64, "a\n"])
def test_a_name_that_cannot_be_in_a_path_is_refused(name: str) -> None:
    """It is part of the URL and of the rules' path."""
    with pytest.raises(ValueError, match="server name"):
        Server(name, "http://x/mcp")


@pytest.mark.parametrize(
    "url",
    ["", "x", "/mcp", "ftp://x/", "http://", "http://x:0/", "http://x:99999/", "http://u:p@x/",
     "http://x/#f", "http://x/ y", "http://x/\u00e9", "http://[::1/"],
)  # fmt: skip
def test_a_url_that_cannot_be_called_is_refused(url: str) -> None:
    """The message names the server."""
    with pytest.raises(ValueError, match="'s'"):
        Server("s", url)


def test_the_authority_is_what_the_url_says() -> None:
    """With its port, if it has one."""
    assert Server("s", "https://h.example:8443/mcp").authority == b"h.example:8443"
    assert Server("s", "http://[::1]:9/mcp").authority == b"[::1]:9"


@pytest.mark.parametrize(
    "settings",
    [{"max_body_bytes": 0}, {"body_timeout_ms": -1}, {"decision_timeout_ms": 0},
     {"upstream_connect_timeout_ms": 0}, {"shutdown_grace_ms": 0}, {"listen": "x"}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    """Zero is never `without a limit`."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        PepConfig(**settings)


def test_two_servers_of_one_name_are_refused() -> None:
    """Which rules would apply?"""
    one = Server("s", "http://x/mcp")
    with pytest.raises(ValueError, match="two servers"):
        PepConfig(servers=(one, one))
