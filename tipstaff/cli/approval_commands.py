"""The commands by which people answer for held calls, with what `--help` teaches of each."""

from __future__ import annotations

import argparse

from tipstaff.cli.arguments import CommandParser, Commands, add, add_config, add_group, add_json

_MODULE = "tipstaff.cli.operate.approvals"
_STATES = (
    "pending", "granted", "refused", "expired", "withdrawn", "used", "lapsed", "void", "unknown",
)  # fmt: skip
_ANSWERS = """\
ID is an identifier as `tipstaff approvals list` shows it, or a start of it that no other one has.

You are shown the whole call first, and asked. What you answer counts for exactly that call: should it be
another one by then, nothing happens. Without a terminal nobody can be asked, so --yes is needed.

You answer as the user of this machine. Where tipstaff.toml has [[approvals.people]], only they may answer.

examples:
"""


def add_approvals(commands: Commands) -> None:
    """Add `tipstaff approvals`."""
    actions = add_group(commands, "approvals", "see the calls that wait for a person, and answer")
    _add_list(actions)
    showing = add(actions, "show", f"{_MODULE}:show_command", "show all that is asked for, and why")
    _add_id(showing)
    add_json(showing)
    _add_grant(actions)
    refuse = _add_answer(actions, "refuse", "say no: the agent is told, with your note")
    refuse.epilog = f'{_ANSWERS}  tipstaff approvals refuse a-01999f --note "Not before the release. Ask on Monday."'
    refuse.add_argument("--yes", action="store_true", help="answer without being asked")
    revoke = _add_answer(actions, "revoke", "take back a question, or a grant that stands")
    revoke.epilog = (
        "A pending approval ends as withdrawn, a granted one as void: its call needs a new answer. What a\n"
        "call has done already cannot be taken back. Nobody is asked, for this only closes."
    )


def _add_list(actions: Commands) -> None:
    parser = add(
        actions,
        "list",
        f"{_MODULE}:list_command",
        "show approvals, those that wait for an answer first",
    )
    parser.epilog = (
        "The bold part of an identifier is enough to name it. --watch begins with what waits and goes on\n"
        "until Ctrl-C, also when the decision service is started anew; with --json each change is a line."
    )
    add_json(parser)
    parser.add_argument("--state", choices=_STATES, default="", help="only in this state")
    parser.add_argument(
        "--server", dest="only_server", default="", metavar="NAME", help="only calls of this server"
    )
    parser.add_argument(
        "--principal", default="", metavar="WHO", help="only of this caller, for example jwt:ana"
    )
    parser.add_argument("--watch", action="store_true", help="print changes as they come")
    _add_service(parser)


def _add_grant(actions: Commands) -> None:
    parser = _add_answer(actions, "grant", "say yes: the call may be made once")
    parser.add_argument("--yes", action="store_true", help="answer without being asked")
    parser.add_argument(
        "--for",
        dest="standing",
        default="",
        metavar="TIME",
        help="let equal calls pass for so long, for example 1h; the rule must allow it",
    )
    parser.epilog = (
        f"{_ANSWERS}"
        "  tipstaff approvals grant a-01999f\n"
        "  tipstaff approvals grant a-01999f --for 1h      equal calls pass for an hour\n"
        "  tipstaff approvals revoke a-01999f              and now they do not any more"
    )


def _add_answer(actions: Commands, name: str, help_: str) -> CommandParser:
    parser = add(actions, name, f"{_MODULE}:{name}_command", help_)
    _add_id(parser)
    add_json(parser)
    parser.add_argument(
        "--note", default="", metavar="TEXT", help="why; the agent reads a no's note"
    )
    parser.add_argument(
        "--as", dest="person", default="", metavar="NAME", help="who answers (default: you)"
    )
    return parser


def _add_id(parser: CommandParser) -> None:
    parser.add_argument("id", metavar="ID", help="the approval, or the start of its identifier")
    _add_service(parser)


def _add_service(parser: CommandParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_config(parser)
    parser.add_argument("--address", help="the decision service (default: from the configuration)")


def add_console(commands: Commands) -> None:
    """Add `tipstaff console`."""
    actions = add_group(
        commands, "console", "serve the page where people see held calls, and answer"
    )
    serve = add(
        actions,
        "serve",
        "tipstaff.cli.run.console_page:serve_command",
        "run it, on this machine alone",
    )
    serve.epilog = (
        "It prints an address that logs you in, once. `tipstaff console login` prints another one.\n"
        "It answers nobody but this machine, and asks the decision service that `tipstaff up` runs."
    )
    serve.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    login = add(
        actions,
        "login",
        "tipstaff.cli.run.console_page:login_command",
        "print an address that logs in, once",
    )
    for parser in (serve, login):
        add_config(parser)
        parser.add_argument("--port", type=int, help="the port (default: [console] port, or 8701)")
        parser.add_argument(
            "--as",
            dest="person",
            default="",
            metavar="NAME",
            help="who logs in (default: your user name)",
        )
