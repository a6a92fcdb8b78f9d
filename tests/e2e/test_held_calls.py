"""A held call at the client: it waits with its connection alive, goes on by a grant, or is told how to go on waiting."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
import pytest_asyncio
from mcp import Client

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc
from tests.gateway import Gateway, call_headers, eventually, gateway, tool_call
from tests.mcp_servers import Counting, sdk_server
from tests.proxy_rig import asgi_upstream
from tests.wrapped import wrapped

HELD = {"action": "require_approval", "reason": "Ask first."}
RULES = {"tools": {"drop": HELD, "add": {}}}
SDK_RULES = {
    "tools": {"delete_everything": {**HELD, "approval": {"approvers": ["ops"]}}, "add": {}}
}
PEOPLE = '[[approvals.people]]\nid = "ana"\ngroups = ["ops"]\n'
JSON_ONLY = {"Accept": "application/json"}
# One gateway for all tests: each has arguments of its own, so that none finds another's approval.
pytestmark = pytest.mark.asyncio(loop_scope="module")
_numbers = itertools.count(1)


class People:
    """People at the decision service: they see what waits, and answer."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = approvals_pb2_grpc.ApprovalServiceStub(channel)
        self._who = approvals_pb2.Approver(id="ana", method="cli")

    async def pending(self, number: int) -> Any:
        """The call with this argument, once it waits."""
        return await self._pending(lambda call: f"{number}" in call.arguments_json.decode())

    async def pending_of(self, caller: str) -> Any:
        """The call of a caller whose name begins so, once it waits."""
        return await self._pending(lambda call: call.principal.id.startswith(caller))

    async def _pending(self, fits: Callable[[Any], bool]) -> Any:
        calls: list[Any] = []

        async def is_there() -> bool:
            request = approvals_pb2.ApprovalServiceListRequest(
                state=approvals_pb2.APPROVAL_STATE_PENDING
            )
            waiting = (await self._stub.List(request)).calls
            calls[:] = filter(fits, waiting)
            return bool(calls) and all(call.waiting for call in calls)

        await eventually(is_there, 10)
        (held,) = calls
        return held

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


class Site(NamedTuple):
    """The gateway, the people behind it, a client before it, and the servers."""

    tipstaff: Gateway
    people: People
    client: httpx.AsyncClient
    upstream: Counting
    sdk: Any

    async def call(self, number: int, server: str = "s", **headers: str) -> httpx.Response:
        message = tool_call("drop", {"number": number}, request_id=number)
        message["params"]["_meta"]["progressToken"] = f"p-{number}"
        return await self.client.post(
            self.tipstaff.url(server), json=message, headers={**call_headers("drop"), **headers}
        )

    def arrived(self, number: int) -> int:
        """How often the call has reached the server."""
        return sum(
            b'"number":%d}' % number in body.replace(b" ", b"") for body in self.upstream.bodies
        )


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """A server that fails without a word."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    upstream, sdk, folder = Counting(), sdk_server(), tmp_path_factory.mktemp("held")
    async with (
        asgi_upstream(upstream) as url,
        asgi_upstream(failing) as broken,
        asgi_upstream(sdk.streamable_http_app()) as real,
    ):
        servers = {
            "s": url, "closing": url, "broken": broken, "sdk": real,
            "rounds": {"url": real, "hold_seconds": 1, "approval_rounds": 2},
            "brief": {"url": url, "hold_seconds": 1}, "never": {"url": url, "hold_seconds": 0},
        }  # fmt: skip
        rules = {name: SDK_RULES if name in {"sdk", "rounds"} else RULES for name in servers}
        async with (
            gateway(folder, servers, rules, PEOPLE) as tipstaff,
            grpc.aio.insecure_channel(tipstaff.address) as channel,
            httpx.AsyncClient(timeout=30, verify=False) as client,
        ):
            yield Site(tipstaff, People(channel), client, upstream, sdk)


@pytest.fixture
def number() -> int:
    """An argument that no other test has."""
    return 1000 + next(_numbers)


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The messages of an event stream."""
    lines = answer.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def test_a_held_call_goes_on_when_it_is_granted(site: Site, number: int) -> None:
    """The client sees signs of life at once, then the server's answer; the server sees the call once."""
    waiting = asyncio.ensure_future(site.call(number))
    held = await site.people.pending(number)
    assert site.arrived(number) == 0
    await site.people.grant(held)
    answer = await asyncio.wait_for(waiting, 5)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.startswith(f": held {held.id}\n\n")
    progress, result = events(answer)
    assert progress["method"] == "notifications/progress"
    assert progress["params"]["progressToken"] == f"p-{number}"
    assert held.id in progress["params"]["message"]
    assert "total" not in progress["params"]
    assert (result["id"], result["result"]["content"][0]["text"]) == (number, "done")
    assert site.arrived(number) == 1
    effects = [r["effect"] for r in site.tipstaff.judged() if r["arguments"] == {"number": number}]
    assert effects == ["hold", "allow"]


async def test_a_refusal_reaches_the_agent_with_its_note(site: Site, number: int) -> None:
    """The note is what changes its course."""
    waiting = asyncio.ensure_future(site.call(number))
    await site.people.refuse(await site.people.pending(number), "Use the archive instead.")
    result = events(await asyncio.wait_for(waiting, 5))[-1]["result"]
    assert result["isError"]
    assert result["content"][0]["text"].startswith("Policy violation: ")
    assert "Use the archive instead." in result["content"][0]["text"]
    assert result["_meta"]["tipstaff/decision"]["code"] == "approval_refused"
    assert site.arrived(number) == 0


async def test_who_has_waited_long_enough_is_told_to_make_the_call_again(
    site: Site, number: int
) -> None:
    """And the second call joins the same approval, and goes on by its grant."""
    result = events(await site.call(number, "brief"))[-1]["result"]
    text, facts = result["content"][0]["text"], result["_meta"]["tipstaff/decision"]
    assert result["isError"]
    assert text.startswith("Approval pending: Ask first.")
    assert "exactly the same call again" in text
    assert (facts["code"], facts["approval"]["state"]) == ("approval_pending", "pending")
    again = asyncio.ensure_future(site.call(number, "brief"))
    held = await site.people.pending(number)
    assert (held.id, held.joined) == (facts["approval"]["id"], 2)
    await site.people.grant(held)
    shown = events(await asyncio.wait_for(again, 5))[-1]["result"]
    assert shown["content"][0]["text"] == "done"
    assert site.arrived(number) == 1


async def test_who_comes_back_after_the_grant_goes_on_at_once(site: Site, number: int) -> None:
    """The client's leaving ends its wait, and not the approval."""
    leaving = asyncio.ensure_future(site.call(number))
    held = await site.people.pending(number)
    leaving.cancel()
    await asyncio.wait({leaving})
    await site.people.grant(held)
    answer = await site.call(number)
    assert answer.json()["result"]["content"][0]["text"] == "done"
    assert site.arrived(number) == 1


async def test_a_client_without_events_gets_plain_json(site: Site, number: int) -> None:
    """After its wait, and with a status as ever."""
    waiting = asyncio.ensure_future(site.call(number, **JSON_ONLY))
    await site.people.grant(await site.people.pending(number))
    answer = await asyncio.wait_for(waiting, 5)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["content"][0]["text"] == "done"


async def test_a_proxy_that_holds_nothing_answers_at_once(site: Site, number: int) -> None:
    """For clients that are known to give up."""
    answer = await site.call(number, "never")
    assert answer.json()["result"]["content"][0]["text"].startswith("Approval pending: ")


async def test_a_server_that_fails_after_the_wait_is_an_error_in_the_stream(
    site: Site, number: int
) -> None:
    """Once the stream has begun, there is no status to say it with."""
    waiting = asyncio.ensure_future(site.call(number, "broken"))
    await site.people.grant(await site.people.pending(number))
    answer = await asyncio.wait_for(waiting, 5)
    assert answer.status_code == 200
    last = events(answer)[-1]
    assert (last["id"], last["error"]["code"]) == (number, 5021)


async def test_a_deny_that_comes_while_people_think_wins(site: Site, number: int) -> None:
    """The call is judged again by the policy in force when it goes."""
    waiting = asyncio.ensure_future(site.call(number, "closing"))
    held = await site.people.pending(number)
    before = await site.tipstaff.revision()
    closed = {"action": "deny", "reason": "Closed."}
    site.tipstaff.rules("closing", {"tools": {"drop": closed, "add": {}}})
    await site.tipstaff.wait_for_change(before)
    await site.people.grant(held)
    result = events(await asyncio.wait_for(waiting, 5))[-1]["result"]
    assert result["_meta"]["tipstaff/decision"]["code"] == "denied_by_rule"
    assert site.arrived(number) == 0
    lines = [r for r in site.tipstaff.approval_records() if r["approval_id"] == held.id]
    assert [line["state"] for line in lines] == ["pending", "granted", "void"]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_real_client_gets_the_tool_s_answer(site: Site, number: int, mode: str) -> None:
    """As if nothing had been held."""
    async with Client(site.tipstaff.url("sdk"), mode=mode) as client:
        path = {"path": f"/{number}"}
        waiting = asyncio.ensure_future(client.call_tool("delete_everything", path))
        held = await site.people.pending(number)
        assert list(held.terms[0].approvers) == ["ops"]
        await site.people.grant(held)
        result = await asyncio.wait_for(waiting, 5)
    assert not result.is_error
    assert result.content[0].text == "gone"  # type: ignore[union-attr]
    assert site.sdk.ran.count(f"/{number}") == 1


async def test_a_real_client_waits_on_by_itself(site: Site, number: int) -> None:
    """Over three requests, of which its model sees nothing; people are asked once, the tool runs once."""
    async with Client(site.tipstaff.url("rounds"), mode="2026-07-28") as client:
        waiting = asyncio.ensure_future(
            client.call_tool("delete_everything", {"path": f"/{number}"})
        )
        held = await site.people.pending(number)
        await asyncio.sleep(2.2)
        assert not waiting.done()
        later = await site.people.pending(number)
        assert (later.id, later.joined) == (held.id, 3)
        await site.people.grant(held)
        result = await asyncio.wait_for(waiting, 5)
    assert result.content[0].text == "gone"  # type: ignore[union-attr]
    assert site.sdk.ran.count(f"/{number}") == 1


async def test_rounds_that_nobody_answers_end_with_the_advice(site: Site, number: int) -> None:
    """A legacy client gets it after the first."""
    for mode, least in (("legacy", 1), ("2026-07-28", 3)):
        async with Client(site.tipstaff.url("rounds"), mode=mode) as client:
            began = asyncio.get_running_loop().time()
            result = await client.call_tool("delete_everything", {"path": f"/{mode}-{number}"})
            seconds = asyncio.get_running_loop().time() - began
        assert result.content[0].text.startswith("Approval pending: ")  # type: ignore[union-attr]
        assert least <= seconds < least + 2


async def test_a_wrapped_server_s_call_waits_too(site: Site) -> None:
    """Between lines there are no comments, and the answer is the server's."""
    async with wrapped(site.tipstaff.config) as wrapper:
        waiting = asyncio.ensure_future(wrapper.call("drop"))
        held = await site.people.pending_of("local:")
        await site.people.grant(held)
        assert await asyncio.wait_for(waiting, 5) == "allowed"
        again = asyncio.ensure_future(wrapper.call("drop"))
        await site.people.refuse(await site.people.pending_of("local:"), "No more.")
        assert await asyncio.wait_for(again, 5) == "approval_refused"
