"""A held call at the client: it waits with its connection alive, goes on by a grant, or is told how to go on waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from mcp import Client

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tests.gateway import Gateway, call_headers, eventually, gateway, tool_call
from tests.mcp_servers import Counting, sdk_server
from tests.proxy_rig import asgi_upstream
from tests.wrapped import wrapped

RULES = {"tools": {"drop": {"action": "require_approval", "reason": "Ask first."}, "add": {}}}
SDK_RULES = {
    "tools": {
        "delete_everything": {"action": "require_approval", "approval": {"approvers": ["ops"]}},
        "add": {},
    }
}
PEOPLE = '[[approvals.people]]\nid = "ana"\ngroups = ["ops"]\n'
JSON_ONLY = {"Accept": "application/json"}


class People:
    """People at the decision service: they see what waits, and answer."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = approvals_pb2_grpc.ApprovalServiceStub(channel)
        self._who = approvals_pb2.Approver(id="ana", method="cli")

    async def pending(self, count: int = 1) -> Any:
        """The calls that wait, once there are `count`."""
        calls: list[Any] = []

        async def are_there() -> bool:
            request = approvals_pb2.ApprovalServiceListRequest(
                state=approvals_pb2.APPROVAL_STATE_PENDING
            )
            calls[:] = (await self._stub.List(request)).calls
            return len(calls) >= count and all(call.waiting for call in calls)

        await eventually(are_there, 10)
        return calls

    async def grant(self, held: Any) -> None:
        await self._stub.Grant(
            approvals_pb2.ApprovalServiceGrantRequest(
                id=held.id, digest=held.digest, approver=self._who
            )
        )

    async def refuse(self, held: Any, note: str) -> None:
        await self._stub.Refuse(
            approvals_pb2.ApprovalServiceRefuseRequest(id=held.id, approver=self._who, note=note)
        )


@contextlib.asynccontextmanager
async def site(
    folder: Path, app: Any, rules: Any, *, pep: str = ""
) -> AsyncIterator[tuple[Gateway, People, httpx.AsyncClient]]:
    async with (
        asgi_upstream(app) as url,
        gateway(folder, {"s": url}, {"s": rules}, PEOPLE, pep=pep) as tipstaff,
        grpc.aio.insecure_channel(tipstaff.address) as channel,
        httpx.AsyncClient(timeout=30, verify=False) as client,
    ):
        yield tipstaff, People(channel), client


async def call(
    client: httpx.AsyncClient, tipstaff: Gateway, number: int = 1, **headers: str
) -> httpx.Response:
    message = tool_call("drop", {"number": 7}, request_id=number)
    message["params"]["_meta"]["progressToken"] = f"p-{number}"
    return await client.post(
        tipstaff.url("s"), json=message, headers={**call_headers("drop"), **headers}
    )


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The messages of an event stream."""
    lines = answer.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def test_a_held_call_goes_on_when_it_is_granted(tmp_path: Path) -> None:
    """The client sees signs of life at once, then the server's answer; the server sees the call once."""
    upstream = Counting()
    async with site(tmp_path, upstream, RULES) as (tipstaff, people, client):
        waiting = asyncio.ensure_future(call(client, tipstaff))
        (held,) = await people.pending()
        assert upstream.bodies == []
        await people.grant(held)
        answer = await asyncio.wait_for(waiting, 5)
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.text.startswith(f": held {held.id}\n\n")
        progress, result = events(answer)
        assert progress["method"] == "notifications/progress"
        assert progress["params"]["progressToken"] == "p-1"
        assert held.id in progress["params"]["message"]
        assert "total" not in progress["params"]
        assert (result["id"], result["result"]["content"][0]["text"]) == (1, "done")
        assert upstream.names() == ["drop"]
        assert [record["effect"] for record in tipstaff.judged()] == ["hold", "allow"]


async def test_a_refusal_reaches_the_agent_with_its_note(tmp_path: Path) -> None:
    """The note is what changes its course."""
    upstream = Counting()
    async with site(tmp_path, upstream, RULES) as (tipstaff, people, client):
        waiting = asyncio.ensure_future(call(client, tipstaff))
        (held,) = await people.pending()
        await people.refuse(held, "Use the archive instead.")
        result = events(await asyncio.wait_for(waiting, 5))[-1]["result"]
        assert result["isError"]
        assert result["content"][0]["text"].startswith("Policy violation: ")
        assert "Use the archive instead." in result["content"][0]["text"]
        assert result["_meta"]["tipstaff/decision"]["code"] == "approval_refused"
        assert upstream.bodies == []


async def test_who_has_waited_long_enough_is_told_to_make_the_call_again(tmp_path: Path) -> None:
    """And the second call joins the same approval, and goes on by its grant."""
    upstream = Counting()
    async with site(tmp_path, upstream, RULES, pep="hold_seconds = 1") as parts:
        tipstaff, people, client = parts
        result = events(await call(client, tipstaff))[-1]["result"]
        text, facts = result["content"][0]["text"], result["_meta"]["tipstaff/decision"]
        assert result["isError"]
        assert text.startswith("Approval pending: Ask first.")
        assert "exactly the same call again" in text
        assert (facts["code"], facts["approval"]["state"]) == ("approval_pending", "pending")
        again = asyncio.ensure_future(call(client, tipstaff, 2))
        (held,) = await people.pending()
        assert (held.id, held.joined) == (facts["approval"]["id"], 2)
        await people.grant(held)
        assert (
            events(await asyncio.wait_for(again, 5))[-1]["result"]["content"][0]["text"] == "done"
        )
        assert upstream.names() == ["drop"]


async def test_who_comes_back_after_the_grant_goes_on_at_once(tmp_path: Path) -> None:
    """The client's leaving ends its wait, and not the approval."""
    upstream = Counting()
    async with site(tmp_path, upstream, RULES) as (tipstaff, people, client):
        leaving = asyncio.ensure_future(call(client, tipstaff))
        (held,) = await people.pending()
        leaving.cancel()
        await asyncio.wait({leaving})
        await people.grant(held)
        answer = await call(client, tipstaff, 2)
        assert answer.json()["result"]["content"][0]["text"] == "done"
        assert upstream.names() == ["drop"]


async def test_a_client_without_events_gets_plain_json(tmp_path: Path) -> None:
    """After its wait, and with a status as ever."""
    upstream = Counting()
    async with site(tmp_path, upstream, RULES) as (tipstaff, people, client):
        waiting = asyncio.ensure_future(call(client, tipstaff, **JSON_ONLY))
        (held,) = await people.pending()
        await people.grant(held)
        answer = await asyncio.wait_for(waiting, 5)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["result"]["content"][0]["text"] == "done"


async def test_a_proxy_that_holds_nothing_answers_at_once(tmp_path: Path) -> None:
    """For clients that are known to give up."""
    async with site(tmp_path, Counting(), RULES, pep="hold_seconds = 0") as parts:
        tipstaff, _, client = parts
        answer = await call(client, tipstaff)
        assert answer.json()["result"]["content"][0]["text"].startswith("Approval pending: ")


async def test_a_server_that_fails_after_the_wait_is_an_error_in_the_stream(tmp_path: Path) -> None:
    """Once the stream has begun, there is no status to say it with."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async with site(tmp_path, failing, RULES) as (tipstaff, people, client):
        waiting = asyncio.ensure_future(call(client, tipstaff))
        (held,) = await people.pending()
        await people.grant(held)
        answer = await asyncio.wait_for(waiting, 5)
        assert answer.status_code == 200
        last = events(answer)[-1]
        assert (last["id"], last["error"]["code"]) == (1, 5021)


async def test_a_deny_that_comes_while_people_think_wins(tmp_path: Path) -> None:
    """The call is judged again by the policy in force when it goes."""
    upstream = Counting()
    async with site(tmp_path, upstream, RULES) as (tipstaff, people, client):
        waiting = asyncio.ensure_future(call(client, tipstaff))
        (held,) = await people.pending()
        revision = held.revision
        tipstaff.rules("s", {"tools": {"drop": {"action": "deny", "reason": "Closed."}, "add": {}}})

        async def is_in_force() -> bool:
            await client.post(
                tipstaff.url("s"), json=tool_call("add", {}), headers=call_headers("add")
            )
            return bool(tipstaff.records()[-1]["revision"] != revision)

        await eventually(is_in_force, 10)
        await people.grant(held)
        result = events(await asyncio.wait_for(waiting, 5))[-1]["result"]
        assert result["_meta"]["tipstaff/decision"]["code"] == "denied_by_rule"
        assert "drop" not in upstream.names()
        states = [line["state"] for line in tipstaff.approval_records()]
        assert states == ["pending", "granted", "void"]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_real_client_gets_the_tool_s_answer(tmp_path: Path, mode: str) -> None:
    """As if nothing had been held."""
    server = sdk_server()
    app = server.streamable_http_app(stateless_http=mode != "legacy")
    async with site(tmp_path, app, SDK_RULES) as (tipstaff, people, _):
        async with Client(tipstaff.url("s"), mode=mode) as client:
            waiting = asyncio.ensure_future(client.call_tool("delete_everything", {"path": "/x"}))
            (held,) = await people.pending()
            assert list(held.terms[0].approvers) == ["ops"]
            await people.grant(held)
            result = await asyncio.wait_for(waiting, 5)
        assert not result.is_error
        assert result.content[0].text == "gone"  # type: ignore[union-attr]
        assert server.ran == ["/x"]  # type: ignore[attr-defined]


async def test_a_wrapped_server_s_call_waits_too(tmp_path: Path) -> None:
    """Between lines there are no comments, and the answer is the server's."""
    async with (
        site(tmp_path, Counting(), RULES) as (tipstaff, people, _),
        wrapped(tipstaff.config) as wrapper,
    ):
        waiting = asyncio.ensure_future(wrapper.call("drop"))
        (held,) = await people.pending()
        await people.grant(held)
        assert await asyncio.wait_for(waiting, 5) == "allowed"
        again = asyncio.ensure_future(wrapper.call("drop"))
        (held,) = await people.pending()
        await people.refuse(held, "No more.")
        assert await asyncio.wait_for(again, 5) == "approval_refused"
