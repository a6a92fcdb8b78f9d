"""The page of servers and tools: what has changed first, bounded."""

from __future__ import annotations

from typing import Any

from pdp.api.v1 import policy_pb2
from tests.unit.tipstaff.console.test_history import NOW, history, record
from tests.unit.tipstaff.console.views.test_approvals import ANA, text
from tipstaff.console.history import History
from tipstaff.console.views.servers import MOST_ROWS, servers

ATTACK = "<script>alert(1)</script>"


def tool(name: str, server: str = "bank", **more: Any) -> policy_pb2.CatalogTool:
    return policy_pb2.CatalogTool(server=server, tool=name, **more)


def test_changed_tools_come_first_with_the_way_to_accept_them() -> None:
    """And it is said that they are closed."""
    tools = [tool("a", pinned=True), tool("b &", pinned=True, changed=True), tool("c")]
    body = servers(ANA, tools, History(), "", NOW)
    shown = text(body)
    assert shown.index("bank b &") < shown.index("bank a")
    assert "One tool has another definition" in shown
    assert b"/servers/change?server=bank&amp;tool=b+%26" in body
    for part in ("as accepted", "not pinned", "not known", "no calls"):
        assert part in shown


def test_a_tool_has_its_ability_its_day_and_its_last_rule() -> None:
    """In words, too."""
    seen = history(record(1, effect="deny"), record(2, rule="newest"))
    known = tool("pay", category="Financial", risk="high", marks=["moves_money"])
    shown = text(servers(ANA, [known], seen, "", NOW))
    for part in ("high Financial", "moves_money", "1 denied, 0 held, 1 allowed", "newest"):
        assert part in shown


def test_one_server_is_chosen_by_the_address() -> None:
    """Others are a click away."""
    tools = [tool("a"), tool("b", "files & more")]
    body = servers(ANA, tools, History(), "files & more", NOW)
    assert "bank a" not in text(body)
    assert b"?server=files+%26+more" in body


def test_more_tools_than_fit_are_counted() -> None:
    """And not shown."""
    many = [tool(f"t{number}") for number in range(MOST_ROWS + 7)]
    assert "And 7 more" in text(servers(ANA, many, History(), "", NOW))


def test_a_site_without_a_catalogue_is_told_how_to_make_one() -> None:
    """For all servers, or this one."""
    assert "tipstaff register NAME" in text(servers(ANA, [], History(), "", NOW))
    assert "tipstaff register x" in text(servers(ANA, [], History(), "x", NOW))


def test_no_text_of_a_server_is_markup() -> None:
    """Wherever it stands."""
    bad = tool(ATTACK, ATTACK, category=ATTACK, risk=ATTACK, marks=[ATTACK], changed=True)
    body = servers(ANA, [bad, tool("a")], history(record(1, server=ATTACK, target=ATTACK, rule=ATTACK)), "", NOW)  # fmt: skip
    assert b"<script>alert" not in body
