"""The configurations that Tipstaff writes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pdp.errors import ConfigError
from pep.config import Server
from tipstaff import schemas
from tipstaff.cli.configuration.config import parse
from tipstaff.cli.configuration.config_text import section, starter


def test_the_starter_is_toml_with_and_without_servers() -> None:
    """What `tipstaff init` writes."""
    assert tomllib.loads(starter([]))["pep"]["listen"] == "127.0.0.1:8700"
    text = starter([("a", "http://x/mcp"), ("b", "https://y/mcp")])
    config = parse(text, Path("/site/tipstaff.toml"))
    assert [server.name for server in config.pep.servers] == ["a", "b"]
    with pytest.raises(ConfigError):
        starter([("A", "http://x")])


@pytest.mark.parametrize(
    "server",
    [
        Server("a", "http://x/mcp"),
        Server("a", command=("npx", "-y", "x"), environment={"A B": 'quoted "text"'}),
        Server("a", "http://x/mcp", bearer="env:A", headers={"X-Key": "file:/k"}, denial="error"),
    ],
    ids=["url", "command", "credentials"],
)
def test_the_section_of_a_server_means_that_server(server: Server) -> None:
    """With no more than differs from the defaults."""
    config = parse(section(server), Path("/site/tipstaff.toml"))
    assert config.pep.servers == (server,)
    assert "idle_seconds" not in section(server)


def test_a_new_configuration_names_its_schema_in_its_first_line() -> None:
    """As editors look for it; it is a comment to everybody else."""
    text = starter([], schemas.toml_line(schemas.TIPSTAFF_TOML))
    first, rest = text.split("\n", 1)
    assert first == f"#:schema {schemas.TIPSTAFF_TOML}"
    assert rest == starter([])
