"""`tipstaff approvals`: what waits for a person, and the person's answer."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rich.table import Table
from rich.text import Text

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tipstaff.cli import console
from tipstaff.cli.errors import OptionError
from tipstaff.cli.operate import held_call
from tipstaff.cli.policy.decision_service import channel, why_unanswered
from tipstaff.common.visible_text import visible

_TIMEOUT_SECONDS = 10.0
_MOST = 1000
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86_400})
_ADVICE = MappingProxyType(
    {
        "APPROVAL_STALE": "it has changed since it was shown: look again with `tipstaff approvals show`",
        "APPROVER_NOT_ALLOWED": "somebody of these groups must answer; `[[approvals.people]]` in "
        "tipstaff.toml says who is in which",
        "APPROVAL_OF_OWN_CALL": "somebody else must say yes, or the rule says `not_self: false`",
        "NOTE_MISSING": 'give it with --note "…"',
        "STANDING_NOT_ALLOWED": "give a shorter --for, or none",
    }
)


def list_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals list`."""
    state = f"APPROVAL_STATE_{arguments.state.upper()}" if arguments.state else None
    request = approvals_pb2.ApprovalServiceListRequest(
        state=state, server=arguments.only_server, principal=arguments.principal, page_size=_MOST
    )
    return _with(arguments, lambda stub: _list(stub, request, arguments))


def show_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals show`."""
    return _with(arguments, lambda stub: _show(_by_prefix(stub, arguments.id), arguments))


def grant_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals grant`."""
    seconds = _seconds(arguments.standing) if arguments.standing else 0

    def grant(stub: Any) -> int:
        call = _by_prefix(stub, arguments.id)
        if not _is_confirmed(call, arguments, "Grant"):
            return 1
        request = approvals_pb2.ApprovalServiceGrantRequest(
            id=call.id,
            digest=call.digest,
            approver=_person(arguments),
            note=arguments.note,
            standing_seconds=seconds,
        )
        return _tell(stub.Grant(request, timeout=_TIMEOUT_SECONDS).call, arguments)

    return _with(arguments, grant)


def refuse_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals refuse`."""

    def refuse(stub: Any) -> int:
        call = _by_prefix(stub, arguments.id)
        request = approvals_pb2.ApprovalServiceRefuseRequest(
            id=call.id, digest=call.digest, approver=_person(arguments), note=arguments.note
        )
        return _tell(stub.Refuse(request, timeout=_TIMEOUT_SECONDS).call, arguments)

    return _with(arguments, refuse)


def revoke_command(arguments: argparse.Namespace) -> int:
    """`tipstaff approvals revoke`."""

    def revoke(stub: Any) -> int:
        call = _by_prefix(stub, arguments.id)
        request = approvals_pb2.ApprovalServiceWithdrawRequest(
            id=call.id, approver=_person(arguments), note=arguments.note
        )
        return _tell(stub.Withdraw(request, timeout=_TIMEOUT_SECONDS).call, arguments)

    return _with(arguments, revoke)


def _with(arguments: argparse.Namespace, work: Callable[[Any], int]) -> int:
    """The exit code of `work` on the service's stub; what the service refuses is told with what to do."""
    address, opened = channel(arguments)
    try:
        with opened:
            return work(approvals_pb2_grpc.ApprovalServiceStub(opened))
    except grpc.RpcError as error:
        reason = _reason(error)
        if not reason:
            return console.fail(why_unanswered(error, address))
        advice = f": {_ADVICE[reason]}" if reason in _ADVICE else ""
        return console.fail(f"{error.details()}{advice}")


def _list(stub: Any, request: Any, arguments: argparse.Namespace) -> int:
    reply = stub.List(request, timeout=_TIMEOUT_SECONDS)
    if arguments.json:
        console.print_json(_plain(reply))
        return 0
    if not reply.calls:
        console.out.print("No call waits for approval.", markup=False)
        return 0
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "state", "left", "call", "asked by"):
        table.add_column(name, overflow="fold", no_wrap=name in {"id", "state"})
    for call in reply.calls:
        table.add_row(*held_call.row(call, _now_ms()))
    console.print_table(table)
    if reply.truncated:
        console.err.print("There are more: narrow it with --state, --server or --principal.")
    return 0


def _by_prefix(stub: Any, prefix: str) -> approvals_pb2.HeldCall:
    """The approval whose id begins with `prefix`; raises `OptionError` when that is not one."""
    request = approvals_pb2.ApprovalServiceListRequest(page_size=_MOST)
    calls: list[approvals_pb2.HeldCall]
    calls = list(stub.List(request, timeout=_TIMEOUT_SECONDS).calls)
    fitting = [
        call for call in calls if call.id.removeprefix("a-").startswith(prefix.removeprefix("a-"))
    ]
    if len(fitting) == 1:
        return fitting[0]
    pending = [call for call in fitting if call.state == approvals_pb2.APPROVAL_STATE_PENDING]
    if len(pending) == 1:
        return pending[0]
    if not fitting:
        raise OptionError(
            f"there is no approval {prefix!r}; `tipstaff approvals list` shows what there is"
        )
    names = ", ".join(call.id for call in fitting[:5])
    raise OptionError(f"{prefix!r} is the beginning of {len(fitting)} approvals: {names}")


def _show(call: approvals_pb2.HeldCall, arguments: argparse.Namespace) -> int:
    if arguments.json:
        console.print_json(_plain(call))
        return 0
    for line in held_call.lines(call, _now_ms()):
        console.out.print(line)
    return 0


def _is_confirmed(call: approvals_pb2.HeldCall, arguments: argparse.Namespace, what: str) -> bool:
    """Whether the person has seen the call and says so; raises `OptionError` without a terminal."""
    if arguments.yes:
        return True
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise OptionError("there is no terminal to ask on: --yes grants without asking")
    for line in held_call.lines(call, _now_ms()):
        console.out.print(line)
    if call.risk == "critical":
        console.out.print(f"To grant it, type the name of the tool, {visible(call.target)}:")
        return input("> ").strip() == call.target
    return input(f"{what} this call? [y/N] ").strip().lower() in {"y", "yes"}


def _tell(call: approvals_pb2.HeldCall, arguments: argparse.Namespace) -> int:
    """Say where the approval stands after the answer."""
    if arguments.json:
        console.print_json(_plain(call))
        return 0
    state = held_call.state_of(call)
    more = ""
    if state == "pending":
        more = ", more people must say yes"
    elif state == "granted":
        more = f", to be used within {held_call.time_left(call.ends_at_ms - _now_ms())}"
        if call.is_standing:
            more = f", for equal calls within {held_call.time_left(call.ends_at_ms - _now_ms())}"
    style = held_call.STATE_STYLE.get(state, "")
    console.out.print(
        Text.assemble((state, style), visible(f"{more}: {call.server} {call.target} ({call.id})"))
    )
    return 0


def _person(arguments: argparse.Namespace) -> approvals_pb2.Approver:
    """The user of the machine, or whom they say they answer as."""
    return approvals_pb2.Approver(id=arguments.person or getpass.getuser(), method="cli")


def _seconds(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise OptionError(f"--for {text!r}: write 30s, 10m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2]]


def _reason(error: grpc.RpcError) -> str:
    """The reason of an answer that the service does not take, "" for any other failure."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return ""
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            is_answer = info.reason.startswith(("APPROV", "NOTE_", "STANDING_"))
            return str(info.reason) if is_answer else ""
    return ""


def _plain(message: Any) -> Any:
    return MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
