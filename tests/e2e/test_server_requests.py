"""What a server asks of its client is judged in its own direction, in both eras, with real clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import CreateMessageResult, ElicitResult, TextContent

from tests.conformance.lanes import fixture
from tests.gateway import Gateway, gateway, make_token
from tests.proxy_rig import asgi_upstream

RULES = {
    "default": "allow",
    "methods": {
        "sampling/createMessage": {
            "action": "deny",
            "reason": "Our model answers our own people only.",
        },
        "elicitation/create": {
            "arguments": {"properties": {"message": {"not": {"pattern": "(?i)password"}}}},
            "rate_limit": {"max": 2, "window": 600},
        },
    },
}


class Person:
    """Answers every question, and remembers that it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def sample(self, context: Any, params: Any) -> CreateMessageResult:
        self.asked.append("sampling")
        content = TextContent(type="text", text="Paris")
        return CreateMessageResult(role="assistant", content=content, model="m")

    async def elicit(self, context: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(
            action="accept", content={"name": "Ann", "username": "ann", "email": "a@b"}
        )

    def client(self, gate: Gateway, mode: str) -> Client:
        return Client(
            gate.url("s"), mode=mode, sampling_callback=self.sample,
            elicitation_callback=self.elicit,
        )  # fmt: skip


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with fixture() as url, gateway(tmp_path, {"s": url}, {"s": RULES}) as one:
        yield one


async def test_a_legacy_servers_request_is_answered_for_the_client_that_never_sees_it(
    gate: Gateway,
) -> None:
    """The server gets an error it can end on, and the session goes on."""
    person = Person()
    async with person.client(gate, "legacy") as client:
        with pytest.raises(MCPError, match="Our model answers our own people only"):
            await client.call_tool("test_sampling", {"prompt": "Capital of France?"})
        passed = await client.call_tool("test_elicitation", {"message": "Who are you?"})
        assert "accept" in passed.content[0].text
        with pytest.raises(MCPError, match="not allowed"):
            await client.call_tool("test_elicitation", {"message": "Your password?"})
    assert person.asked == ["Who are you?"]
    told = [(one["method"], one["direction"], one["effect"]) for one in gate.records()
            if one.get("direction") == "to_client"]  # fmt: skip
    assert told == [
        ("sampling/createMessage", "to_client", "deny"),
        ("elicitation/create", "to_client", "allow"),
        ("elicitation/create", "to_client", "deny"),
    ]


async def test_a_modern_call_that_asks_for_what_is_denied_ends_there(gate: Gateway) -> None:
    """As a result that the model reads; what is allowed is asked, and the retry judged again."""
    person = Person()
    async with person.client(gate, "2026-07-28") as client:
        refused = await client.call_tool("test_input_required_result_sampling", {})
        assert refused.is_error
        assert "Our model answers our own people only" in refused.content[0].text
        assert refused.meta["tipstaff/decision"]["code"] == "denied_by_rule"
        mixed = await client.call_tool("test_input_required_result_multiple_inputs", {})
        assert mixed.is_error
        passed = await client.call_tool("test_input_required_result_elicitation", {})
        assert passed.content[0].text == "Hello, Ann!"
    assert person.asked == ["What is your name?"]
    retries = [one for one in gate.judged() if one["target"].endswith("_elicitation")]
    assert len(retries) == 2


async def test_what_a_server_asks_has_budgets_of_its_own(gate: Gateway) -> None:
    """Here two questions, then none."""
    person = Person()
    async with person.client(gate, "2026-07-28") as client:
        for number in range(4):
            result = await client.call_tool("test_input_required_result_elicitation", {})
            assert result.is_error == (number >= 2), number
    assert len(person.asked) == 2


class Tasks:
    """An ASGI server with tasks: every call makes one, and anybody who knows its id may have it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = json.loads((await receive())["body"])
        self.asked.append(message["method"])
        result = {
            "tools/call": {"task": {"taskId": "t1", "status": "working"}},
            "tasks/list": {"tasks": [{"taskId": "t1"}, {"taskId": "t2"}]},
        }.get(message["method"], {"taskId": "t1", "status": "completed"})
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": body})


async def test_a_task_is_for_its_creator_only_and_polls_are_not_counted(tmp_path: Path) -> None:
    """Bob knows the id of Ann's task; the limit is three calls for all methods."""
    server = Tasks()
    rules = {"tools": {"run": {}}, "limits": [{"name": "all", "scope": "principal", "max": 3, "window": 600}]}  # fmt: skip
    async with asgi_upstream(server) as url:
        one = Gateway(tmp_path, {"s": url}, pep="")
        one.config.write_text(one.config.read_text() + 'accept = ["token"]\n')
        one.rules("s", rules)
        tokens = {name: make_token(one, "create", name) for name in ("ann", "bob")}
        await one.start()
        try:
            async with httpx.AsyncClient(timeout=10) as client:

                async def say(who: str, method: str, **params: Any) -> Any:
                    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                    lines = {"Authorization": f"Bearer {tokens[who]}"}
                    answer = await client.post(one.url("s"), json=message, headers=lines)
                    return answer.json()

                created = await say("ann", "tools/call", name="run", task={"ttl": 1})
                assert created["result"]["task"]["taskId"] == "t1"
                for _ in range(10):
                    polled = await say("ann", "tasks/get", taskId="t1")
                    assert polled["result"]["status"] == "completed"
                before = len(server.asked)
                for method in ("tasks/get", "tasks/result", "tasks/cancel"):
                    refused = await say("bob", method, taskId="t1")
                    assert refused["error"] == {"code": -32602, "message": "Task not found"}
                assert len(server.asked) == before
                listed = await say("ann", "tasks/list")
                assert [task["taskId"] for task in listed["result"]["tasks"]] == ["t1"]
                assert (await say("bob", "tasks/list"))["result"]["tasks"] == []
                for _ in range(2):
                    assert "result" in await say("ann", "tools/call", name="run")
                assert (await say("ann", "tools/call", name="run"))["result"]["isError"]
        finally:
            await one.stop()
