"""`tipstaff`: reads the arguments, runs one command, returns its exit code.

Exit codes: 0 done; 1 done, and the answer is no (a denial, a failed test); 2 bad input or
configuration, with one message that says what to do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from pdp.errors import PdpError
from pep.errors import PepError
from tipstaff import console

# Children are started with exec, so gRPC need not keep itself usable across a fork.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

Command = Callable[[argparse.Namespace], int]

_EPILOG = """\
start here:
  tipstaff init --server files=http://127.0.0.1:9000/mcp    write tipstaff.toml and starter rules
  tipstaff check                                            are the files right?
  tipstaff up                                               run it; prints the URLs for MCP clients
  tipstaff log -f                                           watch the decisions
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except (PdpError, PepError) as error:
        return console.fail(str(error))


def _run(arguments: argparse.Namespace) -> int:
    command: Command = arguments.command
    return command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tipstaff",
        description="Decides, for every call an agent makes over MCP, whether it may be made.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        _add_init,
        _add_services,
        _add_wrap,
        _add_check,
        _add_test,
        _add_decide,
        _add_log,
        _add_token,
        _add_limits,
        _add_opa,
    ):
        add(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def _add(commands: Commands, name: str, command: Command, help_: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=Path("tipstaff.toml"),
        metavar="FILE",
        help="the configuration (default: tipstaff.toml)",
    )
    parser.add_argument("--opa", metavar="PATH", help="the opa binary (default: $TIPSTAFF_OPA)")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def _add_init(commands: Commands) -> None:
    from tipstaff import init

    parser = _add(commands, "init", init.command, "write a configuration and starter rules")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="where (default: here)"
    )
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="an MCP server to stand in front of; may be repeated",
    )


def _add_services(commands: Commands) -> None:
    from tipstaff import services, up

    parser = _add(
        commands, "up", up.command, "run everything: OPA, the decision service, the proxy"
    )
    _add_config(parser)
    for name, command, what in (
        ("pdp", services.pdp_command, "run the decision service alone, with its OPA"),
        ("pep", services.pep_command, "run the proxy alone"),
    ):
        parser = _add(commands, name, command, what)
        _add_config(parser)
        parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def _add_wrap(commands: Commands) -> None:
    from tipstaff import wrap

    parser = _add(
        commands, "wrap", wrap.command, "judge the calls to a server that the client starts itself"
    )
    parser.usage = "tipstaff wrap [-c FILE] [--agent NAME] NAME -- COMMAND…"
    parser.epilog = (
        "Put it before the server's command in the client's configuration. The rules are those of "
        "policy/servers/NAME. A decision service that runs is used; else one is started."
    )
    _add_config(parser)
    parser.add_argument("--agent", help="who calls: the principal is local:NAME (default: you)")
    parser.add_argument("name", help="what the server is called in rules")
    parser.add_argument("server_command", nargs="*", metavar="COMMAND", help="how it is started")


def _add_check(commands: Commands) -> None:
    from tipstaff import policy

    parser = _add(
        commands,
        "check",
        policy.check_command,
        "check configuration and rules, and show the former",
    )
    _add_config(parser)
    _add_json(parser)


def _add_test(commands: Commands) -> None:
    from tipstaff import policy

    parser = _add(
        commands,
        "test",
        policy.test_command,
        "run the policy's own tests (`opa test`) on the rules",
    )
    _add_config(parser)
    parser.add_argument("--run", metavar="REGEX", help="only tests whose name matches")
    parser.add_argument("-v", "--verbose", action="store_true", help="name every test")


def _add_decide(commands: Commands) -> None:
    from tipstaff import decide

    parser = _add(
        commands, "decide", decide.command, "ask the running decision service about one call"
    )
    parser.epilog = "The question counts: an allowed call takes its budgets, as a real one would."
    _add_config(parser)
    _add_json(parser)
    parser.add_argument("server", help="the registered server")
    parser.add_argument("target", nargs="?", default="", help="the tool, resource or prompt")
    parser.add_argument("arguments", nargs="?", default="{}", help="the arguments as JSON")
    parser.add_argument("--method", default="tools/call", help="default: tools/call")
    parser.add_argument(
        "--principal",
        default="anonymous:127.0.0.1",
        help="who calls, for example token:ci (default: this machine)",
    )
    parser.add_argument("--session", default="", help="the agent session (default: the principal)")
    parser.add_argument("--address", help="the decision service (default: from the configuration)")


def _add_log(commands: Commands) -> None:
    from tipstaff import logview

    parser = _add(commands, "log", logview.command, "show the records of decisions")
    _add_config(parser)
    _add_json(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on as records come")
    parser.add_argument("-n", type=int, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--effect", choices=("allow", "deny", "hold"), help="only these")
    parser.add_argument("--server", dest="only_server", metavar="NAME", help="only this server")


def _add_token(commands: Commands) -> None:
    from tipstaff import token

    parser = commands.add_parser("token", help="make, list and revoke API tokens of callers")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    create = _add(actions, "create", token.create_command, "make a token and show it, once")
    create.add_argument("name", help="who calls with it: the principal is token:NAME")
    create.add_argument("--expires", metavar="TIME", help="for example 12h or 90d (default: never)")
    listing = _add(actions, "list", token.list_command, "list tokens, without their secrets")
    revoking = _add(actions, "revoke", token.revoke_command, "refuse a token from now on")
    revoking.add_argument("which", help="its id, or a name for all tokens of that caller")
    for one in (create, listing, revoking):
        _add_config(one)
    for one in (create, listing):
        _add_json(one)


def _add_limits(commands: Commands) -> None:
    from tipstaff import limits

    parser = commands.add_parser("limits", help="show what limits have counted, or begin anew")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _add(actions, "list", limits.list_command, "show the counters in use, fullest first")
    _add_json(listing)
    reset = _add(actions, "reset", limits.reset_command, "empty counters")
    reset.add_argument("--all", action="store_true", help="every counter")
    for one in (listing, reset):
        _add_config(one)
        one.add_argument("--name", default="", help="only of this limit, for example files/read")
        one.add_argument("--principal", default="", help="only of this principal")
        one.add_argument("--session", default="", help="only of this session")
        one.add_argument("--address", help="the decision service (default: from the configuration)")


def _add_opa(commands: Commands) -> None:
    from tipstaff import services

    parser = commands.add_parser("opa", help="manage the OPA binary")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    install = _add(
        actions, "install", services.install_command, "find or get the pinned opa binary"
    )
    install.add_argument("--opa", metavar="PATH", help="use this binary (default: $TIPSTAFF_OPA)")


if __name__ == "__main__":
    sys.exit(main())
