"""A call may cost what an argument says, through Rego; and never nothing, less, or a part."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pdp.api.v1 import types_pb2
from tests.gateway import Gateway, decisions, gateway, question

ROOT = Path(__file__).parents[2]
REGO = re.findall(r"```rego\n(.*?)```", (ROOT / "docs" / "limits.md").read_text(), re.DOTALL)[0]
UNGUARDED = """\
package site.careless

limit contains {"name": "careless", "scope": "principal", "max": 100, "window": 60, "cost": cost} if {
	input.target == "spend"
	cost := input.arguments.amount
}
"""
RULES = {"tools": {"pay": {}, "spend": {}}}


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    for name, text in (("spending", REGO), ("careless", UNGUARDED)):
        folder = tmp_path / "policy" / "site" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.rego").write_text(text)
    async with gateway(tmp_path, {"bank": "http://127.0.0.1:9/mcp"}, {"bank": RULES}) as one:
        yield one


async def ask(tipstaff: Gateway, tool: str, arguments: bytes) -> Any:
    number = len(tipstaff.records())
    async with decisions(tipstaff.address) as service:
        request = question("bank", tool, f"r{number}", arguments_json=arguments)
        return (await service.Decide(request, timeout=5)).decision


async def test_a_budget_of_money_is_spent_by_the_amount(tipstaff: Gateway) -> None:
    """Sixty and forty pass, one more does not; more than all of it never can."""
    sixty = await ask(tipstaff, "pay", b'{"amount": 60}')
    assert (sixty.effect, sixty.limits[0].remaining) == (types_pb2.EFFECT_ALLOW, 40)
    too_much = await ask(tipstaff, "pay", b'{"amount": 41}')
    assert (too_much.reason.code, too_much.limits[0].remaining) == ("rate_limited", 40)
    never = await ask(tipstaff, "pay", b'{"amount": 101}')
    assert (never.reason.code, never.retry_after_ms) == ("rate_limited", -1)
    assert (await ask(tipstaff, "pay", b'{"amount": 40.0}')).effect == types_pb2.EFFECT_ALLOW


NO_AMOUNTS = (
    b"-5", b"0", b"0.5", b"1.5", b'"3"', b"null", b"true", b"[1]", b"1e-3", b"-1e9",
)  # fmt: skip


async def test_an_amount_that_is_none_is_refused_and_costs_nothing(tipstaff: Gateway) -> None:
    """The rule's own code, where the rule has looked; the gateway's, where it has not."""
    for amount in NO_AMOUNTS:
        decision = await ask(tipstaff, "pay", b'{"amount": %s}' % amount)
        assert decision.effect == types_pb2.EFFECT_DENY
        assert decision.reason.code == "amount_invalid", amount
        careless = await ask(tipstaff, "spend", b'{"amount": %s}' % amount)
        assert careless.effect == types_pb2.EFFECT_DENY
        assert careless.reason.code == "policy_invalid_result", amount
    full = await ask(tipstaff, "pay", b'{"amount": 100}')
    assert full.effect == types_pb2.EFFECT_ALLOW


async def test_a_missing_amount_is_refused(tipstaff: Gateway) -> None:
    """A limit that vanishes for want of an argument would be an allow by absence."""
    decision = await ask(tipstaff, "pay", b"{}")
    assert decision.reason.code == "amount_invalid"
