"""The commands that look at servers before agents use them, with what `--help` teaches of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from tipstaff.cli.arguments import CommandParser, Commands, add, add_config, add_json
from tipstaff.survey.model import CATEGORIES, FAIL_ON, RISKS
from tipstaff.survey.starter.presets import Preset


def _add_scan(commands: Commands) -> None:
    parser = add(
        commands,
        "scan",
        "tipstaff.cli.servers.scan:command",
        "show what agents could do with servers; registers nothing",
    )
    parser.usage = "tipstaff scan [options] [NAME | URL | -- COMMAND…]"
    parser.epilog = (
        "Without a server: every one that the MCP clients on this machine know; their commands are "
        "started only after you have agreed. Exit code 1: something is as bad as --fail-on says."
    )
    add_config(parser)
    add_json(parser)
    parser.add_argument(
        "--tools-list", type=Path, metavar="FILE", help="a saved answer to tools/list; asks nobody"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page to pass on, too")
    parser.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        help="exit with 1 at this risk or more, or any warning sign",
    )
    parser.add_argument(
        "--only", action="append", default=[], type=str.capitalize, choices=CATEGORIES,
        help="show only this category; may be repeated",
    )  # fmt: skip
    parser.add_argument("--risk", choices=RISKS, help="show only this risk and worse")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every tool and attack")
    parser.add_argument("-y", "--yes", action="store_true", help="start clients' commands unasked")
    _add_asking(parser)
    parser.add_command("place", "NAME | URL | -- COMMAND…", "a registered server, or any other")


def _add_register(commands: Commands) -> None:
    parser = add(
        commands,
        "register",
        "tipstaff.cli.servers.register:command",
        "list a server's tools, pin them, give them rules",
    )
    parser.usage = "tipstaff register [options] NAME [URL | -- COMMAND…]"
    parser.epilog = (
        "Writes tipstaff.toml, policy/catalog/NAME and policy/servers/NAME. Again, with or without the "
        "URL: shows what has changed at the server, gives new tools rules, and keeps your edits."
    )
    add_config(parser)
    add_json(parser)
    parser.add_argument(
        "--preset",
        choices=[preset.value for preset in Preset],
        default=Preset.RECOMMENDED.value,
        help="how much the rules leave to agents; observe enforces nothing (default: recommended)",
    )
    parser.add_argument(
        "--update", action="store_true", help="ask a registered server again; needs no URL"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show every tool and attack")
    _add_asking(parser)
    parser.add_argument("name", help="what the server is called in rules and in its URL")
    _add_place(parser)


def _add_accept(commands: Commands) -> None:
    parser = add(
        commands,
        "accept",
        "tipstaff.cli.servers.accept:command",
        "accept tools whose definition has changed",
    )
    parser.epilog = "Shows what has changed and asks. Until then the tool is hidden and denied."
    add_config(parser)
    add_json(parser)
    parser.add_argument("--all", action="store_true", help="all that have changed or are new")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="do not ask; leaves tools that have warning signs"
    )
    parser.add_argument(
        "--despite-signs",
        action="store_true",
        help="with --yes: also tools that have warning signs",
    )
    _add_seconds(parser)
    parser.add_argument("name", help="the registered server")
    parser.add_argument("tools", nargs="*", metavar="TOOL", help="the tools to accept")


def _add_client_config(commands: Commands) -> None:
    from tipstaff.cli.clients import client_forms

    parser = add(
        commands,
        "client-config",
        "tipstaff.cli.clients.client_config:command",
        "tell an MCP client of a server's URL",
    )
    parser.epilog = (
        "Prints the entry and the file it belongs in. --write puts it there: all else in the file "
        "is kept, and a copy of the old one is left beside it. No token is ever written."
    )
    add_config(parser)
    add_json(parser)
    parser.add_argument("name", help="the registered server")
    parser.add_argument(
        "--client", required=True, choices=client_forms.CLIENTS, help="whose configuration"
    )
    parser.add_argument("--write", action="store_true", help="put the entry into the client's file")
    parser.add_argument("--file", type=Path, metavar="PATH", help="another file than the usual one")
    parser.add_argument(
        "--token-env",
        metavar="VARIABLE",
        help="the environment variable that holds the token (default: TIPSTAFF_TOKEN; VS Code asks "
        "for it, Claude Desktop reads a file)",
    )


def _add_asking(parser: argparse.ArgumentParser) -> None:
    """How a server that is not registered yet is asked."""
    parser.add_argument(
        "--bearer", metavar="REF", help="the token for its URL: env:NAME or file:PATH"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME=REF",
        help="one more header line for its URL, as env:NAME or file:PATH; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE",
        help="for its process: a text, env:NAME or file:PATH; may be repeated",
    )  # fmt: skip
    _add_seconds(parser)


def _add_seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="N", help="how long to wait (default: 30)"
    )


def _add_place(parser: CommandParser) -> None:
    parser.add_command("place", "URL | -- COMMAND…", "where it listens, or how it is started")


ALL: Mapping[str, Callable[[Commands], None]] = {
    "scan": _add_scan,
    "register": _add_register,
    "accept": _add_accept,
    "client-config": _add_client_config,
}
"""By name, what adds a command and its arguments, in the order of `tipstaff --help`."""
