"""`tipstaff approvals`: which calls wait for a person, what exactly they would do, and the person's answer.

An answer is given to what was shown: it carries the digest of the call that is on the screen. Without a
terminal nobody is asked, and nothing is answered unless `--yes` says that this is meant.
"""

from __future__ import annotations

import argparse
import os
import pwd
import sys
import time
from typing import Any

from rich.console import Console
from rich.text import Text

from pdp.api.v1 import approvals_pb2
from tipstaff.cli import console
from tipstaff.cli.errors import OptionError
from tipstaff.cli.operate import approval_failures, approval_rows, durations, held_call
from tipstaff.cli.operate.approval_service import ApprovalsClient
from tipstaff.common.visible_text import exact

_METHOD = "cli"
_RISK_TO_TYPE_FOR = "critical"
_MOST_PRINTED = 10_000
_OPEN = frozenset({"pending", "granted"})


def list_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals list`."""
    request = approvals_pb2.ApprovalServiceListRequest(
        state=_number(arguments.state), server=arguments.only_server, principal=arguments.principal
    )
    with ApprovalsClient(arguments) as client:
        if arguments.watch:
            return _watch(client, request, arguments)
        reply = client.list(request)
    if arguments.json:
        calls = [approval_rows.as_plain(call) for call in reply.calls]
        console.print_json({"pending": reply.pending, "truncated": reply.truncated, "calls": calls})
        return 0
    if not reply.calls:
        has_filter = arguments.state or arguments.only_server or arguments.principal
        console.out.print(
            "No approval fits." if has_filter else "No call has waited for an answer."
        )
        return 0
    console.print_table(approval_rows.table(reply.calls, _now_ms()))
    if reply.truncated:
        console.err.print("There are more: narrow it with --state, --server or --principal.")
    if reply.pending:
        console.err.print(
            "tipstaff approvals show ID tells everything about one; grant or refuse it then."
        )
    return 0


def show_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals show`."""
    with ApprovalsClient(arguments) as client:
        _show(client.find(arguments.id), arguments)
    return 0


def grant_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals grant`."""
    standing = durations.seconds("--for", arguments.standing) if arguments.standing else 0
    with ApprovalsClient(arguments, _person(arguments)) as client:
        call = _shown(client, arguments)
        if not _is_confirmed(call, arguments, is_grant=True):
            return _left(call)
        request = approvals_pb2.ApprovalServiceGrantRequest(
            id=call.id,
            digest=call.digest,
            approver=_approver(client),
            note=_note(call, arguments, is_grant=True),
            standing_seconds=standing,
        )
        return _tell(client.ask("Grant", request, call.id).call, arguments)


def refuse_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals refuse`."""
    with ApprovalsClient(arguments, _person(arguments)) as client:
        call = _shown(client, arguments)
        if not _is_confirmed(call, arguments, is_grant=False):
            return _left(call)
        request = approvals_pb2.ApprovalServiceRefuseRequest(
            id=call.id,
            digest=call.digest,
            approver=_approver(client),
            note=_note(call, arguments, is_grant=False),
        )
        return _tell(client.ask("Refuse", request, call.id).call, arguments)


def revoke_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals revoke`: nobody is asked, for what it does is only to close."""
    with ApprovalsClient(arguments, _person(arguments)) as client:
        call = client.find(arguments.id)
        request = approvals_pb2.ApprovalServiceWithdrawRequest(
            id=call.id, approver=_approver(client), note=arguments.note
        )
        return _tell(client.ask("Withdraw", request, call.id).call, arguments)


def _watch(
    client: ApprovalsClient,
    request: approvals_pb2.ApprovalServiceListRequest,
    arguments: argparse.Namespace,
) -> int:
    """Print what waits, and every change from now on, until the person stops it."""
    printed: dict[str, str] = {}
    began = _now_ms()
    for call in client.changes(request):
        plain = approval_rows.as_plain(call)
        # The number of callers that wait is no news.
        news = str({name: value for name, value in plain.items() if name != "waiting"})
        is_old = call.changed_at_ms < began and held_call.state_of(call) not in _OPEN
        if is_old or printed.get(call.id) == news or not _fits(call, request):
            continue
        printed.pop(call.id, None)
        printed[call.id] = news
        if len(printed) > _MOST_PRINTED:
            del printed[next(iter(printed))]
        if arguments.json:
            console.print_json(plain, indent=None)
        else:
            console.out.print(approval_rows.change_line(call))
    return 0


def _fits(call: Any, request: approvals_pb2.ApprovalServiceListRequest) -> bool:
    selected = (request.state, request.server, request.principal)
    actual = (call.state, call.server, call.principal.id)
    return all(not value or value == other for value, other in zip(selected, actual, strict=True))


def _shown(client: ApprovalsClient, arguments: argparse.Namespace) -> Any:
    """The approval that is to be answered, shown; raises `OptionError` for one that has ended."""
    call = client.find(arguments.id)
    # With --json the standard output is for the program, and the person still sees what is asked.
    _print(call, console.err if arguments.json else console.out)
    state = held_call.state_of(call)
    if state not in _OPEN:
        message = f"this approval is {state} already"
        raise OptionError(
            approval_failures.sentence(
                "APPROVAL_ENDED", message, approval_id=exact(call.id), by=exact(client.by)
            )
        )
    return call


def _show(call: Any, arguments: argparse.Namespace) -> None:
    if arguments.json:
        console.print_json(approval_rows.as_plain(call))
        return
    _print(call, console.out)


def _print(call: Any, target: Console) -> None:
    for line in held_call.view(call, _now_ms(), console.columns(target)):
        target.print(line)


def _is_confirmed(call: Any, arguments: argparse.Namespace, *, is_grant: bool) -> bool:
    """Whether the person means it; for a tool of critical risk they type its name."""
    if arguments.yes:
        return True
    verb = "grant" if is_grant else "refuse"
    if not sys.stdin.isatty():
        raise OptionError(f"there is nobody to ask: say --yes to {verb} without being asked")
    if is_grant and call.risk == _RISK_TO_TYPE_FOR:
        name = exact(call.target)
        typed = _asks(f"This tool is of critical risk. To grant the call, type its name, {name}: ")
        return typed in {name, call.target}
    return _asks(f"{verb.capitalize()}? [y/N] ").lower() in {"y", "yes"}


def _note(call: Any, arguments: argparse.Namespace, *, is_grant: bool) -> str:
    """The note, asked for where the rule wants one and somebody is there to write it."""
    needs = held_call.needs_note(call, is_grant=is_grant)
    if arguments.note or not needs or arguments.yes or not sys.stdin.isatty():
        return str(arguments.note)
    return _asks("The rule wants a note with this answer: ")


def _asks(question: str) -> str:
    """What the person types; "" at the end of the input."""
    try:
        # Asked on standard error: what is printed by --json stays JSON.
        return console.err.input(Text(question)).strip()
    except EOFError:
        return ""


def _left(call: Any) -> int:
    console.err.print(f"Nothing was answered: {exact(call.id)} is as it was.", markup=False)
    return 1


def _tell(call: Any, arguments: argparse.Namespace) -> int:
    """Say what the answer has come to."""
    if arguments.json:
        console.print_json(approval_rows.as_plain(call))
        return 0
    when = held_call.ending(call, _now_ms())
    state = held_call.state_of(call)
    more = "your yes counts, and more people must say yes" if state == "pending" else state
    console.out.print(f"{exact(call.id)}: {more}{f'; ends {when}' if when else ''}", markup=False)
    return 0


def _approver(client: ApprovalsClient) -> approvals_pb2.Approver:
    return approvals_pb2.Approver(id=client.by, method=_METHOD)


def _person(arguments: argparse.Namespace) -> str:
    """Who answers: the user of the machine by the system's own account, unless `--as` says who."""
    if arguments.person:
        return str(arguments.person)
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _number(state: str) -> Any:
    return approvals_pb2.ApprovalState.Value(f"APPROVAL_STATE_{state.upper()}") if state else 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
