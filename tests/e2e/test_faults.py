"""What breaks refuses calls, says so, and mends itself; nothing slips through meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway, call_headers, eventually, gateway, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream, free_port

RULES = {"tools": {"read": {}, "poll": {"rate_limit": {"max": 1, "window": 600}}}}


class Site:
    """A gateway in front of one counting server."""

    def __init__(self, tipstaff: Gateway, upstream: Counting, client: httpx.AsyncClient) -> None:
        self.tipstaff = tipstaff
        self.upstream = upstream
        self._client = client

    async def call(self, tool: str = "read") -> httpx.Response:
        return await self._client.post(
            self.tipstaff.url("s"), json=tool_call(tool, request_id="x"), headers=call_headers(tool)
        )

    async def code(self, tool: str = "read") -> str:
        """The reason's code of a call, "" when it passed."""
        body = (await self.call(tool)).json()
        if "error" in body:
            return str((body["error"].get("data") or {}).get("reason_code", body["error"]["code"]))
        meta: dict[str, Any] = body["result"].get("_meta", {}).get("tipstaff/decision", {})
        return str(meta.get("code", ""))

    async def passes(self) -> bool:
        return await self.code() == ""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    upstream = Counting()
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}) as tipstaff,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        yield Site(tipstaff, upstream, client)


async def test_without_the_decision_service_calls_get_503_and_go_nowhere(site: Site) -> None:
    """The client gets a JSON-RPC error with its id; the service is started again by itself."""
    assert await site.passes()
    site.tipstaff.kill("tipstaff pdp")
    await asyncio.sleep(0.05)
    answer = await site.call()
    assert answer.status_code == 503
    assert answer.json()["id"] == "x"
    assert answer.json()["error"]["data"]["reason_code"] == "pdp_unavailable"
    assert len(site.upstream.bodies) == 1
    assert await eventually(site.passes, 15) < 15


async def test_calls_in_flight_when_the_decision_service_dies_are_refused(site: Site) -> None:
    """Whatever was not answered is refused; what was forwarded had been recorded."""
    calls = [asyncio.ensure_future(site.call()) for _ in range(60)]
    await asyncio.sleep(0.02)
    site.tipstaff.kill("tipstaff pdp")
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} <= {200, 503}
    passed = sum(answer.status_code == 200 for answer in answers)
    assert len(site.upstream.bodies) == passed
    assert sum(one["effect"] == "allow" for one in site.tipstaff.judged()) >= passed


async def test_without_opa_calls_are_denied_and_it_is_back_within_two_seconds(site: Site) -> None:
    """The decision service restarts its sidecar; until then every call is refused."""
    assert await site.passes()
    site.tipstaff.kill("opa run")
    code = await site.code()
    assert code in {"policy_unavailable", "policy_undefined"}
    assert len(site.upstream.bodies) == 1
    assert await eventually(site.passes, 5) < 2
    denied = [one for one in site.tipstaff.judged() if one["effect"] == "deny"]
    assert denied[0]["reason"]["code"] == code


async def test_a_hanging_opa_is_not_waited_for(site: Site) -> None:
    """Refused within the deadline of a decision, and well again when it goes on."""
    (pid,) = [one for one, command in site.tipstaff.descendants().items() if "opa run" in command]
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(4):
            assert await site.code() in {"policy_unavailable", "pdp_unavailable"}
        assert not site.upstream.bodies
    finally:
        os.kill(pid, signal.SIGCONT)
    await eventually(site.passes, 10)


async def test_an_upstream_that_is_down_is_named_and_costs_no_budget(tmp_path: Path) -> None:
    """The call was allowed but never made: what it took is given back."""
    port = free_port()
    async with (
        gateway(tmp_path, {"s": f"http://127.0.0.1:{port}/mcp"}, {"s": RULES}) as tipstaff,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        site = Site(tipstaff, Counting(), client)
        for _ in range(3):
            answer = await site.call("poll")
            assert answer.status_code == 502
            assert answer.json()["error"]["code"] == 5020
            assert "'s'" in answer.json()["error"]["message"]
            await asyncio.sleep(0.1)
        assert {one["effect"] for one in tipstaff.judged()} == {"allow"}


async def test_a_full_disk_under_the_journal_denies(tmp_path: Path) -> None:
    """No record, no call; and what it took is given back."""
    upstream = Counting()
    async with (
        asgi_upstream(upstream) as url,
        gateway(tmp_path, {"s": url}, {"s": RULES}, '[journal]\npath = "/dev/full"') as tipstaff,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        site = Site(tipstaff, upstream, client)
        assert [await site.code("poll") for _ in range(3)] == ["journal_unavailable"] * 3
    assert not upstream.bodies


async def test_an_edit_of_the_rules_takes_effect_and_a_broken_one_does_not(site: Site) -> None:
    """The last good rules decide until the text is right again."""
    before = await site.tipstaff.revision()
    site.tipstaff.rules("s", {"tools": {"read": {"action": "deny", "reason": "Closed."}}})
    await site.tipstaff.wait_for_change(before)
    assert await site.code() == "denied_by_rule"
    site.tipstaff.rules("s", "tools: {read: {acton: allow}}")
    await asyncio.sleep(1.5)
    assert await site.code() == "denied_by_rule"
    assert any("did you mean `action`" in line for line in site.tipstaff.log)
    before = await site.tipstaff.revision()
    site.tipstaff.rules("s", RULES)
    await site.tipstaff.wait_for_change(before)
    assert await site.passes()


async def test_ctrl_c_ends_everything_and_says_nothing_went_wrong(tmp_path: Path) -> None:
    """No process is left; the exit code is 0; another start works in the same folder."""
    async with asgi_upstream(Counting()) as url:
        for _ in range(2):
            async with gateway(tmp_path, {"s": url}, {"s": RULES}) as tipstaff:
                assert len(tipstaff.descendants()) == 3
                assert await tipstaff.stop() == 0
                assert not tipstaff.descendants()


async def test_when_tipstaff_itself_is_killed_nothing_outlives_it(site: Site) -> None:
    """Not the services, and not OPA, which knows the rules."""
    below = site.tipstaff.descendants()
    assert site.tipstaff.process is not None
    site.tipstaff.process.kill()

    async def gone() -> bool:
        return not any(Path(f"/proc/{pid}").exists() for pid in below)

    await eventually(gone, 5)
