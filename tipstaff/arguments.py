"""What the arguments of all commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Command = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def add(commands: Commands, name: str, command: Command, help_: str) -> argparse.ArgumentParser:
    """A command's own parser; `help_` begins in lower case and has no full stop."""
    parser = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    """Where the configuration and the opa binary are."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=Path("tipstaff.toml"),
        metavar="FILE",
        help="the configuration (default: tipstaff.toml)",
    )
    parser.add_argument("--opa", metavar="PATH", help="the opa binary (default: $TIPSTAFF_OPA)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """For programs."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
