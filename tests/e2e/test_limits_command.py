"""`tipstaff limits`: an operator sees what is counted, and lets a caller go on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pdp.api.v1 import types_pb2
from tests.commands import ended
from tests.gateway import Gateway, decisions, gateway, question

RULES = {
    "tools": {
        "spend": {
            "rate_limit": [
                {"max": 2, "window": 600},
                {"max": 50, "window": 6000, "algorithm": "gcra"},
            ]
        }
    }
}


@pytest.fixture
async def tipstaff(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path, {"bank": "http://127.0.0.1:9/mcp"}, {"bank": RULES}) as one:
        yield one


async def run(tipstaff: Gateway, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    return await ended("limits", *arguments, "-c", str(tipstaff.config))


async def spend(tipstaff: Gateway, request_id: str, session: str = "s") -> bool:
    async with decisions(tipstaff.address) as service:
        reply = await service.Decide(question("bank", "spend", request_id, session), timeout=5)
    return bool(reply.decision.effect == types_pb2.EFFECT_ALLOW)


async def test_counters_are_shown_and_reset(tipstaff: Gateway) -> None:
    """One session may go on; the other is still refused."""
    assert (await run(tipstaff, "list"))[1].strip() == "No limit holds anything."
    passed = [await spend(tipstaff, f"{s}{n}", s) for s in "ab" for n in range(3)]
    assert passed == [True, True, False] * 2
    code, table = await run(tipstaff, "list", "--session", "a")
    assert code == 0
    assert "bank/spend" in table
    assert "cooperative a" in table
    listed = json.loads((await run(tipstaff, "list", "--json", "--name", "bank/spend"))[1])
    assert {one["subject"][2]: one["used"] for one in listed["counters"]} == {"a": "2", "b": "2"}
    assert await run(tipstaff, "reset", "--session", "a") == (0, "Reset: 2\n")
    assert await spend(tipstaff, "a4", "a")
    assert not await spend(tipstaff, "b4", "b")
    assert any("limits reset" in line for line in tipstaff.log)


async def test_a_reset_must_say_what_it_means(tipstaff: Gateway) -> None:
    """Nobody empties everything by leaving a word out."""
    assert (await run(tipstaff, "reset"))[0] == 2
    assert (await run(tipstaff, "reset", "--all", "--name", "x"))[0] == 2
    assert await spend(tipstaff, "1")
    assert (await run(tipstaff, "reset", "--all"))[0] == 0
    assert (await run(tipstaff, "list"))[1].strip() == "No limit holds anything."


async def test_the_name_of_a_session_is_shown_as_it_is(tipstaff: Gateway) -> None:
    """It is the caller's: neither markup nor a closing tag that ends the command."""
    for number, name in enumerate(("[red]a[/red]", "[/]", "b\u202ec")):
        assert await spend(tipstaff, str(number), name)
    code, table = await run(tipstaff, "list")
    assert code == 0, table
    for shown in ("[red]a[/red]", "cooperative [/]", r"b\u{202e}c"):
        assert shown in table
