"""The commands that run a site and tell about it, with what `--help` teaches of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from tipstaff.cli.approval_commands import add_approvals, add_console
from tipstaff.cli.arguments import Commands, add, add_config, add_group, add_json


def _add_init(commands: Commands) -> None:
    parser = add(
        commands,
        "init",
        "tipstaff.cli.servers.init:command",
        "write a configuration and starter rules",
    )
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


def _add_up(commands: Commands) -> None:
    parser = add(
        commands,
        "up",
        "tipstaff.cli.run.up:command",
        "run everything: OPA, the decision service, the proxy",
    )
    add_config(parser)
    parser.add_argument(
        "--inline",
        action="store_true",
        help="the decision service and the proxy in one process: faster, for one machine",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="so many proxies on the one port, for more calls at once than one can pass on",
    )


def _add_gate(commands: Commands) -> None:
    _add_service(
        commands,
        "gate",
        "tipstaff.cli.run.gate:command",
        "run the decision service and the proxy in one process",
    )


def _add_pdp(commands: Commands) -> None:
    _add_service(
        commands,
        "pdp",
        "tipstaff.cli.run.services:pdp_command",
        "run the decision service alone, with its OPA",
    )


def _add_pep(commands: Commands) -> None:
    _add_service(commands, "pep", "tipstaff.cli.run.services:pep_command", "run the proxy alone")


def _add_service(commands: Commands, name: str, command: str, help_: str) -> None:
    parser = add(commands, name, command, help_)
    add_config(parser)
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--lock-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)


def _add_wrap(commands: Commands) -> None:
    parser = add(
        commands,
        "wrap",
        "tipstaff.cli.run.wrap:command",
        "judge the calls to a server that the client starts itself",
    )
    parser.usage = "tipstaff wrap [-c FILE] [--agent NAME] NAME -- COMMAND…"
    parser.epilog = (
        "Put it before the server's command in the client's configuration. The rules are those of "
        "policy/servers/NAME. A decision service that runs is used; else one is started."
    )
    add_config(parser)
    parser.add_argument("--agent", help="who calls: the principal is local:NAME (default: you)")
    parser.add_argument("name", help="what the server is called in rules")
    parser.add_command("server_command", "COMMAND", "how it is started")


def _add_status(commands: Commands) -> None:
    parser = add(
        commands,
        "status",
        "tipstaff.cli.operate.status:command",
        "ask the running services how they are",
    )
    parser.epilog = "Exit code 1: something is not as it should be."
    add_config(parser)
    add_json(parser)


def _add_check(commands: Commands) -> None:
    parser = add(
        commands,
        "check",
        "tipstaff.cli.policy.check_and_test:check_command",
        "check configuration and rules",
    )
    parser.epilog = "A warning is about what loads and is probably not what was meant."
    add_config(parser)
    add_json(parser)
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where there is a warning"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show every setting")


def _add_test(commands: Commands) -> None:
    parser = add(
        commands,
        "test",
        "tipstaff.cli.policy.check_and_test:test_command",
        "run the tests of the policy, yours and the library's",
    )
    add_config(parser)
    add_json(parser)
    parser.add_argument("--run", metavar="REGEX", help="only tests whose name matches")
    parser.add_argument("-v", "--verbose", action="store_true", help="name every test")


def _add_decide(commands: Commands) -> None:
    parser = add(
        commands,
        "decide",
        "tipstaff.cli.policy.decide:command",
        "ask the running decision service about one call",
    )
    parser.epilog = (
        "Without --dry-run the question counts: an allowed call takes its budgets and is recorded, "
        "as a real one would be."
    )
    add_config(parser)
    add_json(parser)
    parser.add_argument("server", help="the registered server")
    parser.add_argument("target", nargs="?", default="", help="the tool, resource or prompt")
    parser.add_argument("arguments", nargs="?", default="{}", help="the arguments as JSON")
    parser.add_argument("--method", default="tools/call", help="default: tools/call")
    parser.add_argument(
        "--dry-run", action="store_true", help="charge nothing, record nothing, only say what"
    )
    parser.add_argument(
        "--principal",
        help="who calls, for example token:ci (default: whom --claims name, else this machine)",
    )
    parser.add_argument(
        "--claims", metavar="JSON", help="what the caller's token says, a JSON object"
    )
    parser.add_argument("--session", default="", help="the agent session (default: the principal)")
    parser.add_argument("--address", help="the decision service (default: from the configuration)")


def _add_log(commands: Commands) -> None:
    parser = add(
        commands,
        "log",
        "tipstaff.cli.operate.log:command",
        "show the records of decisions and approvals",
    )
    parser.epilog = (
        "Of --server, --tool, --code and --caller each may hold * for anything. Times are UTC, as in "
        "the records. On a terminal a line is cut to its width: -v shows the rest, --json everything. "
        "Changes of approvals stand between the decisions, unless --effect or --code asks for decisions."
    )
    add_config(parser)
    add_json(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on as records come")
    parser.add_argument(
        "-n", type=int, metavar="N", help="how many (default: 20, or with --since all)"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="below each line also reason, rule, limits, …"
    )
    parser.add_argument("--server", dest="only_server", metavar="NAME", help="only this server")
    parser.add_argument("--tool", metavar="NAME", help="only this tool, resource or prompt")
    parser.add_argument("--effect", choices=("allow", "deny", "hold"), help="only these")
    parser.add_argument("--code", help="only this reason, for example rate_limited")
    parser.add_argument("--caller", metavar="WHO", help="only this caller, for example jwt:alice")
    parser.add_argument(
        "--since", metavar="WHEN", help="an age (10m, 2h, 7d) or a time (2026-11-26T10:00)"
    )


def _add_token(commands: Commands) -> None:
    actions = add_group(commands, "token", "make, list and revoke API tokens of callers")
    create = add(
        actions,
        "create",
        "tipstaff.cli.operate.token:create_command",
        "make a token and show it, once",
    )
    create.add_argument("name", help="who calls with it: the principal is token:NAME")
    create.add_argument("--expires", metavar="TIME", help="for example 12h or 90d (default: never)")
    listing = add(
        actions,
        "list",
        "tipstaff.cli.operate.token:list_command",
        "list tokens, without their secrets",
    )
    revoking = add(
        actions, "revoke", "tipstaff.cli.operate.token:revoke_command", "refuse a token from now on"
    )
    revoking.add_argument("which", help="its id, or a name for all tokens of that caller")
    for command in (create, listing, revoking):
        add_config(command)
    for command in (create, listing):
        add_json(command)


def _add_limits(commands: Commands) -> None:
    actions = add_group(commands, "limits", "show what limits have counted, or begin anew")
    listing = add(
        actions,
        "list",
        "tipstaff.cli.operate.limits:list_command",
        "show the counters in use, fullest first",
    )
    add_json(listing)
    reset = add(actions, "reset", "tipstaff.cli.operate.limits:reset_command", "empty counters")
    reset.add_argument("--all", action="store_true", help="every counter")
    for command in (listing, reset):
        add_config(command)
        command.add_argument(
            "--name", default="", help="only of this limit, for example files/read"
        )
        command.add_argument("--principal", default="", help="only of this principal")
        command.add_argument("--session", default="", help="only of this session")
        command.add_argument(
            "--address", help="the decision service (default: from the configuration)"
        )


def _add_opa(commands: Commands) -> None:
    actions = add_group(commands, "opa", "manage the OPA binary")
    install = add(
        actions,
        "install",
        "tipstaff.cli.run.services:install_command",
        "find or get the pinned opa binary",
    )
    install.add_argument("--opa", metavar="PATH", help="use this binary (default: $TIPSTAFF_OPA)")


ALL: Mapping[str, Callable[[Commands], None]] = {
    "init": _add_init,
    "up": _add_up,
    "gate": _add_gate,
    "pdp": _add_pdp,
    "pep": _add_pep,
    "status": _add_status,
    "wrap": _add_wrap,
    "check": _add_check,
    "test": _add_test,
    "decide": _add_decide,
    "log": _add_log,
    "approvals": add_approvals,
    "console": add_console,
    "token": _add_token,
    "limits": _add_limits,
    "opa": _add_opa,
}
"""By name, what adds a command and its arguments, in the order of `tipstaff --help`."""
