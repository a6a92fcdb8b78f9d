"""`tipstaff limits`: what the running decision service has counted, and how to begin anew."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from rich.table import Table
from rich.text import Text

from pdp.api.v1 import limits_pb2, limits_pb2_grpc
from tipstaff.cli import console
from tipstaff.cli.policy.decision_service import channel, why_unanswered
from tipstaff.common.visible_text import visible

_TIMEOUT_SECONDS = 10.0


def list_command(arguments: argparse.Namespace) -> int:
    """`tipstaff limits list`."""
    request = limits_pb2.LimitServiceListRequest(filter=_filter(arguments))
    reply = _ask(arguments, "List", request)
    if isinstance(reply, int):
        return reply
    if arguments.json:
        plain = MessageToDict(
            reply, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        )
        console.print_json(plain)
        return 0
    if not reply.counters:
        console.out.print("No limit holds anything.", markup=False)
        return 0
    console.print_table(_table(reply.counters))
    if reply.truncated:
        console.err.print("There are more: narrow it with --name, --principal or --session.")
    return 0


def reset_command(arguments: argparse.Namespace) -> int:
    """`tipstaff limits reset`."""
    counter_filter = _filter(arguments)
    if not (arguments.all or counter_filter.ListFields()):
        return console.fail("say which: --name, --principal, --session, or --all")
    if arguments.all and counter_filter.ListFields():
        return console.fail("--all leaves nothing to choose: give it alone")
    reply = _ask(arguments, "Reset", limits_pb2.LimitServiceResetRequest(filter=counter_filter))
    if isinstance(reply, int):
        return reply
    console.out.print(f"Reset: {reply.count}", markup=False)
    return 0


def _table(counters: Iterable[limits_pb2.Counter]) -> Table:
    """The counters, a row each; names are folded and never cut, for one asks for them by name."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("limit", "scope", "whose"):
        table.add_column(name, overflow="fold")
    for name in ("used", "free in"):
        table.add_column(name, justify="right", no_wrap=True)
    for counter in counters:
        used = "-" if counter.algorithm == "gcra" else str(counter.used)
        name = f"{counter.name} (shadow)" if counter.shadow else counter.name
        cells = (name, *whose(counter.scope, counter.subject), used, _time(counter.free_in_ms))
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table


def whose(scope: str, subject: Sequence[str]) -> tuple[str, str]:
    """The scope and the subject of a counter; a caller without a session is counted as a caller."""
    if scope == "session" and subject[1:2] == ["principal"]:
        return "caller", subject[0]
    return ("caller" if scope == "principal" else scope), " ".join(subject)


def _filter(arguments: argparse.Namespace) -> limits_pb2.CounterFilter:
    return limits_pb2.CounterFilter(
        name=arguments.name, principal=arguments.principal, session=arguments.session
    )


def _ask(arguments: argparse.Namespace, what: str, request: Any) -> Any:
    """The reply, or the exit code when there is none."""
    address, opened = channel(arguments)
    try:
        with opened:
            stub = limits_pb2_grpc.LimitServiceStub(opened)
            return getattr(stub, what)(request, timeout=_TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        return console.fail(why_unanswered(error, address))


def _time(milliseconds: int) -> str:
    seconds = -(-milliseconds // 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"
