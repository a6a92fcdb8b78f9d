"""`tipstaff up --inline`: the decision service and the proxy in one process, and nothing else is different."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest_asyncio

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tests.gateway import Gateway, call_headers, decisions, eventually, question, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream

RULES = {
    "default": "deny",
    "tools": {
        "read": {},
        "few": {"rate_limit": {"max": 2, "window": 600}},
        "one": {"rate_limit": {"algorithm": "concurrency", "max": 1, "window": 600}},
        "no": {"action": "deny", "reason": "Not this."},
        "ask": {"action": "require_approval"},
    },
}


class Site:
    """A gateway of one process before a server that counts."""

    def __init__(self, tipstaff: Gateway, upstream: Counting, client: httpx.AsyncClient) -> None:
        self.tipstaff = tipstaff
        self.upstream = upstream
        self._client = client

    async def call(self, tool: str, **arguments: Any) -> httpx.Response:
        return await self._client.post(
            self.tipstaff.url("s"), json=tool_call(tool, arguments), headers=call_headers(tool)
        )

    async def code(self, tool: str) -> str:
        """The reason's code of a call, "" when it passed."""
        body = (await self.call(tool)).json()
        if "error" in body:
            return str((body["error"].get("data") or {}).get("reason_code", body["error"]["code"]))
        meta: dict[str, Any] = body["result"].get("_meta", {}).get("tipstaff/decision", {})
        return str(meta.get("code", ""))


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    upstream = Counting()
    async with asgi_upstream(upstream) as url, httpx.AsyncClient(timeout=30) as client:
        tipstaff = Gateway(tmp_path, {"s": url})
        tipstaff.options = ("--inline",)
        tipstaff.rules("s", RULES)
        await tipstaff.start()
        try:
            yield Site(tipstaff, upstream, client)
        finally:
            await tipstaff.stop()


async def test_one_process_decides_limits_and_records(site: Site) -> None:
    """Beside it runs OPA only; the decision service still answers others over gRPC."""
    below = list(site.tipstaff.descendants().values())
    assert len(below) == 2
    assert sum(" gate " in command for command in below) == 1
    codes = [await site.code(tool) for tool in ("read", "no", "few", "few", "few", "one", "one")]
    assert codes == ["", "denied_by_rule", "", "", "rate_limited", "", ""]
    assert len(site.upstream.bodies) == 5
    assert [record["effect"] for record in site.tipstaff.judged()] == [
        "allow", "deny", "allow", "allow", "deny", "allow", "allow",
    ]  # fmt: skip
    async with decisions(site.tipstaff.address) as service:
        reply = await service.Decide(question("s", "no", "r1"))
        assert reply.decision.reason.code == "denied_by_rule"


async def test_a_held_call_goes_on_when_it_is_granted(site: Site) -> None:
    """The client waits with its connection open."""
    calling = asyncio.ensure_future(site.call("ask", number=1))
    async with grpc.aio.insecure_channel(site.tipstaff.address) as channel:
        approvals = approvals_pb2_grpc.ApprovalServiceStub(channel)
        pending: list[Any] = []

        async def waits() -> bool:
            request = approvals_pb2.ApprovalServiceListRequest(
                state=approvals_pb2.APPROVAL_STATE_PENDING
            )
            pending[:] = (await approvals.List(request)).calls
            return bool(pending)

        await eventually(waits)
        await approvals.Grant(
            approvals_pb2.ApprovalServiceGrantRequest(
                id=pending[0].id,
                digest=pending[0].digest,
                approver=approvals_pb2.Approver(id="ana", method="cli"),
            )
        )
        assert (await calling).status_code == 200
    assert len(site.upstream.bodies) == 1


async def test_a_call_that_never_reaches_its_server_costs_nothing(tmp_path: Path) -> None:
    """What it took is given back, in the same process."""
    tipstaff = Gateway(tmp_path, {"s": "http://127.0.0.1:9/mcp"})
    tipstaff.options = ("--inline",)
    tipstaff.rules("s", RULES)
    await tipstaff.start()
    try:
        async with httpx.AsyncClient(timeout=30) as client:
            site = Site(tipstaff, Counting(), client)
            for _ in range(4):
                assert (await site.call("few")).status_code == 502
                await asyncio.sleep(0.1)
        assert {record["effect"] for record in tipstaff.judged()} == {"allow"}
    finally:
        await tipstaff.stop()


async def test_without_opa_nothing_is_allowed_and_a_killed_process_comes_back(site: Site) -> None:
    """What limits have counted is kept."""
    assert [await site.code("few"), await site.code("few")] == ["", ""]
    site.tipstaff.kill("opa run")
    assert await site.code("read") in {"policy_unavailable", "policy_undefined"}

    async def passes() -> bool:
        try:
            return await site.code("read") == ""
        except httpx.TransportError:
            return False

    await eventually(passes, 10)
    site.tipstaff.kill(" gate ")
    await eventually(passes, 20)
    assert await site.code("few") == "rate_limited"


async def test_an_edit_takes_effect_and_a_stop_leaves_nothing(site: Site) -> None:
    """Exit code 0, and no process."""
    site.tipstaff.rules("s", {"default": "deny", "tools": {"no": {}}})

    async def is_open() -> bool:
        return await site.code("no") == ""

    await eventually(is_open)
    below = set(site.tipstaff.descendants())
    assert await site.tipstaff.stop() == 0
    assert not below & set(site.tipstaff.descendants())
