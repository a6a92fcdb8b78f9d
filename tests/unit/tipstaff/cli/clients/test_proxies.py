"""Which entries of clients lead to Tipstaff's proxy."""

from __future__ import annotations

import pytest

from pep.config import PepConfig, Server
from tipstaff.cli.clients.proxies import proxies_of

FILES = Server("files", url="http://127.0.0.1:9000/mcp")
OURS = proxies_of(PepConfig(servers=(FILES,), public_url="https://gate.example"), is_default=False)
DEFAULT = proxies_of(PepConfig(), is_default=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8700/files/mcp",
        "http://localhost:8700/files/mcp/",
        "http://[::1]:8700/files/mcp",
        "https://gate.example/files/mcp",
        "https://gate.example:443/files/mcp",
    ],
)
def test_a_url_of_the_proxy_is_known(url: str) -> None:
    """By any name of this machine, and by the public one."""
    assert OURS.are_before(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8701/files/mcp",
        "http://127.0.0.1:8700/other/mcp",
        "http://127.0.0.1:8700/mcp",
        "http://127.0.0.1:8700/files/mcp/x",
        "http://127.0.0.1/files/mcp",
        "https://gate.example.evil/files/mcp",
        "http://evil.example:8700/files/mcp",
        "http://[bad",
        "",
    ],
)
def test_another_url_is_not(url: str) -> None:
    """In doubt a server is looked at."""
    assert not OURS.are_before(url, ())


def test_without_a_configuration_any_server_behind_the_usual_address_counts() -> None:
    """Nobody knows their names here."""
    assert DEFAULT.are_before("http://localhost:8700/anything/mcp", ())
    assert not DEFAULT.are_before("http://localhost:8701/anything/mcp", ())


@pytest.mark.parametrize(
    "line",
    [
        "tipstaff wrap files -- npx y",
        "/opt/venv/bin/tipstaff wrap -c t.toml files -- npx y",
        "python3.12 -m tipstaff wrap files -- x",
        "uvx tipstaff wrap files -- x",
        "uv run tipstaff wrap files -- x",
        "npx -y mcp-remote@0.15.1 http://127.0.0.1:8700/files/mcp --header-file h",
    ],
)
def test_the_wrapper_and_a_bridge_to_the_proxy_are_known(line: str) -> None:
    """However they are started."""
    assert OURS.are_before("", line.split())


@pytest.mark.parametrize(
    "line",
    [
        "tipstaff up",
        "evil tipstaff wrap files -- x",
        "npx tipstaff-wrap wrap",
        "python evil.py -m tipstaff wrap",
        "curl http://127.0.0.1:8700/files/mcp",
        "npx -y mcp-remote@0.15.1 https://elsewhere.example/mcp",
        "uvx",
        "",
    ],
)
def test_a_command_that_only_names_them_is_not(line: str) -> None:
    """It could do anything."""
    assert not OURS.are_before("", line.split())


def test_a_proxy_on_every_address_is_on_this_machine() -> None:
    """It is what clients here are told."""
    served = Server("files", url="http://x/mcp", accept=("anonymous",))
    everywhere = proxies_of(PepConfig(listen="0.0.0.0:80", servers=(served,)), is_default=False)
    assert everywhere.are_before("http://127.0.0.1/files/mcp", ())
