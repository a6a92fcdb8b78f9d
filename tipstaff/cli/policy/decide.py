"""`tipstaff decide`: asks the running decision service about one call, over gRPC.

By default the question counts like a real call. A dry run asks another method of the service, `Explain`,
so that a service which does not know it refuses, instead of charging what was only to be tried.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from typing import Any

import grpc
from msgspec import Struct, structs
from rich.text import Text

from pdp.api import limit_text, strict_json
from pdp.api.codec import decision_from_wire
from pdp.api.model import Decision, Effect, LimitResult
from pdp.api.v1 import decision_pb2, decision_pb2_grpc, types_pb2
from tipstaff.cli import console
from tipstaff.cli.errors import OptionError
from tipstaff.cli.policy import decision_service, known_names

_TIMEOUT_SECONDS = 5.0
_NAMES_SECONDS = 2.0
_ANYBODY = "anonymous:127.0.0.1"
# The reasons behind which something went wrong that the caller is not told of.
_FAULTS = frozenset(
    ("policy_error", "policy_invalid_result", "policy_undefined", "policy_unavailable")
)


class _Answer(Struct, frozen=True):
    """The decision, and the fault of a dry run."""

    decision: Decision
    fault: str = ""


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff decide`."""
    request = _request(arguments)
    address, opened = decision_service.channel(arguments)
    try:
        with opened:
            for note in known_names.notes(opened, arguments, _NAMES_SECONDS):
                console.note(note)
            answer = _ask(opened, request, is_dry_run=arguments.dry_run)
    except grpc.RpcError as error:
        return console.fail(decision_service.why_unanswered(error, address))
    if arguments.json:
        console.print_json({**_plain(answer), "dry_run": arguments.dry_run})
    else:
        _print(answer, request.session.kind or "principal", is_dry_run=arguments.dry_run)
    return 0 if answer.decision.effect is Effect.ALLOW else 1


def _request(arguments: argparse.Namespace) -> decision_pb2.DecideRequest:
    """The request made of the options; raises `OptionError`."""
    _object("the arguments", arguments.arguments)
    claims = _object("--claims", arguments.claims) if arguments.claims else {}
    principal = arguments.principal or _named_by(claims)
    request = decision_pb2.DecideRequest(
        request_id=secrets.token_hex(16),
        server=arguments.server,
        method=arguments.method,
        target=arguments.target,
        arguments_json=arguments.arguments.encode(),
        principal=types_pb2.Principal(
            id=principal, kind=_kind(principal), claims_json=(arguments.claims or "").encode()
        ),
        transport="grpc",
    )
    if arguments.session:
        request.session.CopyFrom(types_pb2.Session(id=arguments.session, kind="cooperative"))
    return request


def _object(what: str, text: str) -> dict[str, Any]:
    """The JSON object `text`; raises `OptionError`, naming `what` it is."""
    try:
        value = strict_json.loads(text.encode(errors="surrogateescape"))
    except strict_json.StrictJsonError as error:
        raise OptionError(f"{what}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise OptionError(f'{what}: not a JSON object, as in \'{{"name": "value"}}\'')
    return value


def _named_by(claims: dict[str, Any]) -> str:
    """The principal that claims name, as the proxy would; raises `OptionError` when they name nobody."""
    for claim, prefix in (("sub", "jwt:"), ("client_id", "jwt-client:")):
        if isinstance(claims.get(claim), str):
            return f"{prefix}{claims[claim]}"
    if claims:
        raise OptionError(
            "--claims: they name neither sub nor client_id; say who calls: --principal"
        )
    return _ANYBODY


def _kind(principal: str) -> str:
    """The kind of a principal, which is the beginning of its identifier."""
    return principal.partition(":")[0].removesuffix("-client")


def _ask(opened: Any, request: decision_pb2.DecideRequest, *, is_dry_run: bool) -> _Answer:
    stub = decision_pb2_grpc.DecisionServiceStub(opened)
    if is_dry_run:
        return _explain(stub, request)
    reply = stub.Decide(request, timeout=_TIMEOUT_SECONDS)
    decision = decision_from_wire(reply.decision)
    if decision.reason.code not in _FAULTS:
        return _Answer(decision)
    try:  # a decision never says what went wrong, because agents see it
        fault = _explain(stub, request).fault
    except grpc.RpcError:
        fault = ""
    return _Answer(decision, fault)


def _explain(stub: Any, request: decision_pb2.DecideRequest) -> _Answer:
    question = decision_pb2.ExplainRequest(request=request)
    reply = stub.Explain(question, timeout=_TIMEOUT_SECONDS)
    return _Answer(decision_from_wire(reply.decision, is_trial=True), reply.fault)


def _plain(answer: _Answer) -> dict[str, Any]:
    decision = answer.decision
    return {
        "decision_id": decision.decision_id,
        "effect": decision.effect.value,
        "reason": structs.asdict(decision.reason),
        "fault": answer.fault,
        "rule": decision.rule,
        "revision": decision.revision,
        "hidden": decision.hidden,
        "retry_after_ms": decision.retry_after_ms,
        "limits": [structs.asdict(limit) for limit in decision.limits],
        "shadow": [
            {"effect": finding.effect.value, "reason": structs.asdict(finding.reason)}
            for finding in decision.shadow
        ],
    }


def _print(answer: _Answer, session_kind: str, *, is_dry_run: bool) -> None:
    decision = answer.decision
    style = console.EFFECT_STYLE[decision.effect.value]
    effect = (decision.effect.value, f"bold {style}")
    text = Text.assemble(effect, f"  {decision.reason.code}")
    if is_dry_run:
        text.append("  (dry run: nothing was charged or recorded)", "dim")
    console.out.print(text)
    console.print_fields(_fields(answer, session_kind))


def _fields(answer: _Answer, session_kind: str) -> Iterator[tuple[str, str]]:
    decision = answer.decision
    yield "reason", decision.reason.message
    if answer.fault:
        yield "cause", answer.fault
    if decision.hidden:
        yield "hidden", "the caller sees the target as one that does not exist"
    if decision.rule:
        yield "rule", decision.rule
    for limit in decision.limits:
        yield "limit", _limit(limit, session_kind)
    for finding in decision.shadow:
        yield "shadow", f"would {finding.effect.value}: {finding.reason.message}"
    if decision.retry_after_ms > 0:
        yield "retry", f"in {decision.retry_after_ms / 1000:.1f} s"
    yield "revision", decision.revision
    if decision.decision_id:
        yield "decision", decision.decision_id


def _limit(limit: LimitResult, session_kind: str) -> str:
    whose = limit_text.whose(limit.scope, session_kind)
    allows = limit_text.allows(limit.name, limit.max, limit.window, whose, limit.algorithm)
    full = "" if limit.passed else ": too few"
    watched = " (in shadow)" if limit.shadow else ""
    return f"{allows}, {limit.remaining} left{full}{watched}"
