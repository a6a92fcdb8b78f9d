"""`tipstaff decide`: asks the running decision service about one call, over gRPC."""

from __future__ import annotations

import argparse
import secrets
from typing import Any

import grpc
from rich.text import Text

from pdp.api.address import is_local
from pdp.api.codec import decision_from_wire
from pdp.api.model import Decision, Effect
from pdp.api.v1 import decision_pb2, decision_pb2_grpc, types_pb2
from pep import decision_channel
from pep.config import PdpTls
from tipstaff import console
from tipstaff.config import load
from tipstaff.survey.glyphs import visible

_TIMEOUT_SECONDS = 5.0


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff decide`."""
    address, opened = channel(arguments)
    try:
        with opened:
            decision = _ask(opened, arguments)
    except grpc.RpcError as error:
        return console.fail(explain(error, address))
    if arguments.json:
        console.print_json(_plain(decision))
    else:
        _print(decision)
    return 0 if decision.effect is Effect.ALLOW else 1


def channel(arguments: argparse.Namespace) -> tuple[str, Any]:
    """The decision service's address, and a channel to it; raises `ConfigError` or `StartError`."""
    address, tls = arguments.address, PdpTls()
    if not address or not is_local(address):
        config = load(arguments.config)
        address, tls = address or config.pdp.listen, config.pep.pdp_tls
    return address, decision_channel.channel(address, tls)


def _ask(opened: Any, arguments: argparse.Namespace) -> Decision:
    request = decision_pb2.DecideRequest(
        request_id=secrets.token_hex(16),
        server=arguments.server,
        method=arguments.method,
        target=arguments.target,
        arguments_json=arguments.arguments.encode(),
        principal=types_pb2.Principal(id=arguments.principal, kind=_kind(arguments.principal)),
        transport="grpc",
    )
    if arguments.session:
        request.session.CopyFrom(types_pb2.Session(id=arguments.session, kind="cooperative"))
    stub = decision_pb2_grpc.DecisionServiceStub(opened)
    reply = stub.Decide(request, timeout=_TIMEOUT_SECONDS)
    return decision_from_wire(reply.decision)


def _kind(principal: str) -> str:
    """How a principal of that name is known to the proxy: its name begins with it."""
    return principal.partition(":")[0].removesuffix("-client")


def explain(error: grpc.RpcError, address: str) -> str:
    """Why the decision service did not answer, and what to do."""
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"no decision service answers at {address}: is `tipstaff up` running?"
    return f"the decision service refused the question: {error.details()}"


def _plain(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "effect": decision.effect.value,
        "reason": {"code": decision.reason.code, "message": decision.reason.message},
        "rule": decision.rule,
        "revision": decision.revision,
        "hidden": decision.hidden,
        "retry_after_ms": decision.retry_after_ms,
        "limits": [
            {field: getattr(limit, field) for field in limit.__struct_fields__}
            for limit in decision.limits
        ],
    }


def _print(decision: Decision) -> None:
    style = console.EFFECT_STYLE[decision.effect.value]
    effect = (decision.effect.value, f"bold {style}")
    console.out.print(Text.assemble(effect, f"  {decision.reason.code}"))
    lines = [
        ("reason", decision.reason.message),
        ("rule", decision.rule),
        ("revision", decision.revision),
        ("decision", decision.decision_id),
    ]
    lines += [
        (
            "limit",
            f"{limit.name}: {limit.remaining} of {limit.max} left in {limit.window} s per {limit.scope}",
        )
        for limit in decision.limits
    ]
    if decision.retry_after_ms > 0:
        lines.append(("retry", f"in {decision.retry_after_ms / 1000:.1f} s"))
    for name, text in lines:
        console.out.print(f"  {name:9} {visible(text)}", markup=False)
