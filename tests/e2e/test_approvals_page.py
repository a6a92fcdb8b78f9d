"""What docs/approvals.md shows is run as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import grpc

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc, types_pb2
from tests.commands import run_aside
from tests.gateway import Gateway, decisions, gateway, question

PAGE = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text()


def block(language: str) -> str:
    """The page's first code block of a language."""
    return str(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0])


async def judged(tipstaff: Gateway, tool: str, **arguments: Any) -> types_pb2.Decision:
    asked = question(
        "shop", tool, f"{tool} {arguments}", arguments_json=json.dumps(arguments).encode()
    )
    async with decisions(tipstaff.address) as service:
        return (await service.Decide(asked, timeout=5)).decision


async def test_its_rules_and_people_do_what_it_says(tmp_path: Path) -> None:
    """One site made of nothing but its examples, in which nothing is to be warned of but who is missing."""
    rego = tmp_path / "policy" / "site" / "transfers" / "transfers.rego"
    rego.parent.mkdir(parents=True)
    rego.write_text(block("rego"))
    servers, rules = {"shop": "http://127.0.0.1:9/mcp"}, {"shop": block("yaml")}
    async with (
        gateway(tmp_path, servers, rules, block("toml")) as tipstaff,
        grpc.aio.insecure_channel(tipstaff.address) as channel,
    ):
        people = approvals_pb2_grpc.ApprovalServiceStub(channel)
        checked = await run_aside("check", "-c", str(tipstaff.config))
        assert checked.returncode == 0, checked.stderr
        assert (await judged(tipstaff, "list_orders")).effect == types_pb2.EFFECT_ALLOW
        assert (await judged(tipstaff, "transfer", amount=1000)).effect == types_pb2.EFFECT_ALLOW
        for amount in (1001, "1", None):
            large = await judged(tipstaff, "transfer", amount=amount)
            assert large.effect == types_pb2.EFFECT_HOLD
            assert large.reason.message == "Transfers above 1000 are approved by two people."
            assert list(large.approval.approvers) == ["finance"]
        assert list((await judged(tipstaff, "restart")).approval.approvers) == ["ops"]
        paid = await judged(tipstaff, "pay", amount=1)
        request = approvals_pb2.ApprovalServiceGetRequest(id=paid.approval.id)
        (terms,) = (await people.Get(request)).call.terms
        assert (terms.count, terms.note, terms.decide_within) == (2, "on_refuse", 3600)
        for name in ("ana", "bo"):
            yes = approvals_pb2.ApprovalServiceGrantRequest(
                id=paid.approval.id, approver=approvals_pb2.Approver(id=name, method="cli")
            )
            state = (await people.Grant(yes)).call.state
        assert state == approvals_pb2.APPROVAL_STATE_GRANTED
        read = await judged(tipstaff, "read_customer", customer=7, page=1)
        standing = approvals_pb2.ApprovalServiceGrantRequest(
            id=read.approval.id,
            approver=approvals_pb2.Approver(id="ana", method="cli"),
            standing_seconds=3600,
        )
        await people.Grant(standing)
        again = await judged(tipstaff, "read_customer", customer=7, page=2)
        other = await judged(tipstaff, "read_customer", customer=8, page=1)
        assert (again.effect, other.effect) == (types_pb2.EFFECT_ALLOW, types_pb2.EFFECT_HOLD)
