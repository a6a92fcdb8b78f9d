"""`tipstaff`: reads the arguments, runs one command, returns its exit code.

Exit codes: 0 done; 1 done, and the answer is no (a denial, a failed test); 2 bad input or
configuration, with one message that says what to do.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import cast

from pdp.errors import PdpError
from pep.errors import PepError
from tipstaff.cli import commands, survey_commands
from tipstaff.cli.arguments import Command, CommandParser, shows_help
from tipstaff.cli.errors import TipstaffError
from tipstaff.cli.run.opa_digests import OPA_VERSION

# What is loaded at the start stays, so that looking through it for garbage again and again finds none.
gc.set_threshold(50_000)
# Children are started with exec, so gRPC need not keep itself usable across a fork.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# gRPC's older way to its sockets hands a message to fewer threads: a lone call waits 9 times instead of 20.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")

_EPILOG = """\
start here:
  tipstaff scan http://127.0.0.1:9000/mcp              what could agents do with this server?
  tipstaff register files http://127.0.0.1:9000/mcp    pin its tools, write rules and tipstaff.toml
  tipstaff check                                       are the files right?
  tipstaff up                                          run it; prints the URLs for MCP clients
  tipstaff client-config files --client claude-code    what your client must be told
  tipstaff status                                      is all as it should be?
  tipstaff log -f                                      watch the decisions
  tipstaff approvals list                              which calls wait for a person?
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(words[:1]).parse_args(words)
    from tipstaff.cli.run import logs  # what --help does without

    logs.configure()
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except (PdpError, PepError, TipstaffError) as error:
        from tipstaff.cli import console  # what a service does without

        return console.fail(str(error))


def _run(arguments: argparse.Namespace) -> int:
    command: Command = arguments.command
    if isinstance(command, str):
        module, _, name = command.partition(":")
        command = cast("Callable[[argparse.Namespace], int]", getattr(import_module(module), name))
    return command(arguments)


def parser(named: Sequence[str] = ()) -> CommandParser:
    """What the command line may hold; of a command that is `named`, that command alone."""
    whole = CommandParser(
        prog="tipstaff",
        description="Decides, for every call an agent makes over MCP, whether it may be made.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action=_ShowsVersion, nargs=0, help="show the version and exit")
    whole.set_defaults(command=shows_help(whole))
    listed = whole.add_subparsers(title="commands", metavar="COMMAND")
    table = {**survey_commands.ALL, **commands.ALL}
    for name in [name for name in named if name in table] or table:
        table[name](listed)
    return whole


class _ShowsVersion(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from importlib.metadata import version

        sys.stdout.write(f"tipstaff {version('tipstaff')} (OPA {OPA_VERSION})\n")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
