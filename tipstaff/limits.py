"""`tipstaff limits`: what the running decision service has counted, and how to begin anew."""

from __future__ import annotations

import argparse
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from rich.table import Table
from rich.text import Text

from pdp.api.v1 import limits_pb2, limits_pb2_grpc
from tipstaff import console
from tipstaff.decision_service import channel, why_unanswered
from tipstaff.survey.glyphs import visible

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
    table = Table("limit", "scope", "whose", "used", "free in", box=None, header_style="bold")
    for one in reply.counters:
        used = "-" if one.algorithm == "gcra" else str(one.used)
        name = f"{one.name} (shadow)" if one.shadow else one.name
        cells = (name, one.scope, " ".join(one.subject), used, _time(one.free_in_ms))
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.out.print(table)
    if reply.truncated:
        console.err.print("There are more: narrow it with --name, --principal or --session.")
    return 0


def reset_command(arguments: argparse.Namespace) -> int:
    """`tipstaff limits reset`."""
    wanted = _filter(arguments)
    if not (arguments.all or wanted.ListFields()):
        return console.fail("say which: --name, --principal, --session, or --all")
    if arguments.all and wanted.ListFields():
        return console.fail("--all leaves nothing to choose: give it alone")
    reply = _ask(arguments, "Reset", limits_pb2.LimitServiceResetRequest(filter=wanted))
    if isinstance(reply, int):
        return reply
    console.out.print(f"Reset: {reply.count}", markup=False)
    return 0


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
