"""The text of a configuration, as `tipstaff init` and `tipstaff register` write it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from pdp.errors import ConfigError
from pep.config import Server
from tipstaff.cli.configuration.toml_value import toml_value


def starter(servers: Sequence[tuple[str, str]], head: str = "") -> str:
    """A commented configuration to begin with, below `head`; raises `ConfigError` for a server that cannot be."""
    for name, url in servers:
        try:
            Server(name, url)
        except ValueError as error:
            raise ConfigError(str(error)) from error
    named = "".join(f"\n{section(Server(name, url))}" for name, url in servers)
    example = '\n# [servers.example]\n# url = "http://127.0.0.1:9000/mcp"\n'
    return f"""\
{head}# Tipstaff. `tipstaff check` shows every setting with its value; relative paths begin here.
state_dir = ".tipstaff"            # records, limits, sockets

[pep]
listen = "127.0.0.1:8700"          # MCP clients connect to http://127.0.0.1:8700/NAME/mcp

[console]
port = 8701                        # the page where people watch and decide; tipstaff console login

[policy]
dir = "policy"                     # servers/NAME/data.yaml and site/NAME/NAME.rego

# One section per MCP server to stand in front of.
# auth = "passthrough" hands the client's Authorization header on; it is kept back otherwise.
# accept = ["jwt", "token"] lets in only who can prove who they are; anybody may on this machine.
# bearer = "env:NAME" is the token that Tipstaff itself shows to the server.
# denial = "error" refuses tool calls with a JSON-RPC error instead of a result the model reads.
{named or example}"""


def section(server: Server) -> str:
    """The section of one server: what differs from the defaults."""
    plain = Server(server.name, server.url, server.command)
    values = {
        key: value
        for key, value in structs.asdict(server).items()
        if key != "name" and value and (key in {"url", "command"} or value != getattr(plain, key))
    }
    lines = "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items())
    return f"[servers.{server.name}]\n{lines}"
