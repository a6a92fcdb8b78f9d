"""Both directions of a stdio connection: what goes on, in which order, and what is answered here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from pdp.api.list_codec import ListEntry
from pdp.api.model import Call, Decision, Effect, Principal, Reason, Session
from pep.front.wrap import Place, Wrap
from pep.judge.parts import JudgeParts
from pep.judge.tasks import TaskBook
from tests.proxy_rig import META

PLACE = Place("s", Principal("local:ann", "local"), Session("wrapper", "stdio"))


class Judge:
    """Denies what is called `delete`, hides `secret`, and thinks until told when `slow`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.finished: list[str] = []
        self.gate = asyncio.Event()

    async def decide(self, call: Call) -> Decision:
        self.calls.append(call)
        if call.target == "slow":
            await self.gate.wait()
        denied = call.target in {"delete", "secret"} or call.method == "sampling/createMessage"
        effect = Effect.DENY if denied else Effect.ALLOW
        return Decision(
            decision_id=call.request_id, effect=effect, reason=Reason("r", "No."),
            hidden=call.target == "secret",
        )  # fmt: skip

    async def hidden_entries(self, call: Call, entries: Sequence[ListEntry]) -> Collection[int]:
        self.calls.append(call)
        return [number for number, entry in enumerate(entries) if entry.target == "secret"]

    def report_soon(self, call: Call, reason: Reason) -> None:
        raise AssertionError

    def finish_soon(self, decision: Decision) -> None:
        self.finished.append(decision.decision_id)

    def refund_soon(self, decision: Decision) -> None:
        raise AssertionError


class Rig:
    """A connection whose two ends keep what they get."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.client: list[bytes] = []
        self.server: list[bytes] = []
        numbers = iter(range(1000))
        parts = JudgeParts(self.judge, TaskBook(), lambda: f"r{next(numbers)}", 1000)
        self.wrap = Wrap(parts, PLACE, self._to_client, self._to_server)

    async def _to_client(self, line: bytes) -> None:
        self.client.append(line)

    async def _to_server(self, line: bytes) -> None:
        self.server.append(line)

    async def say(self, *lines: bytes) -> None:
        for line in lines:
            await self.wrap.from_client(line)
        for _ in range(5):
            await asyncio.sleep(0)

    def answers(self) -> list[Any]:
        return [json.loads(line) for line in self.client]


def call(name: str, request_id: Any = 1, *, modern: bool = False) -> bytes:
    params = {"name": name, "arguments": {}} | ({"_meta": META} if modern else {})
    message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
    return json.dumps(message).encode()


def notice(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


@pytest.mark.parametrize("modern", [False, True])
async def test_an_allowed_line_goes_on_as_it_came_and_a_denied_one_is_answered(
    modern: bool,
) -> None:
    """In both eras, which nothing but the message tells."""
    rig = Rig()
    line = call("add", modern=modern) + b" \r"
    await rig.say(line, call("delete", 2, modern=modern))
    assert rig.server == [line]
    (answer,) = rig.answers()
    assert (answer["id"], answer["result"]["isError"]) == (2, True)
    assert ("resultType" in answer["result"]) is modern
    judged = rig.judge.calls[0]
    assert judged.protocol.era == ("modern" if modern else "legacy")
    assert (judged.transport, judged.principal, judged.session) == (
        "stdio", PLACE.principal, PLACE.session,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","x":\r' + call("delete") + b"\r}", -32600),
        (call("add") + b"\r" + call("delete"), -32600),
        (call("add") + "\u2028".encode() + call("delete"), -32700),
        (call("add").replace(b'"name"', b'"name":"delete","name"'), -32700),
        (b"[" + call("delete") + b"]", -32600),
        (call("add").replace(b"tools/call", b"tools/Call"), -32601),
        (call("add").decode().encode("utf-16"), -32700),
        (call("add", modern=True).replace(b"2026-07-28", b"2025-11-25"), -32602),
        (b"", -32700),
        (b"hello", -32700),
    ],
)
async def test_what_two_readers_could_read_differently_does_not_go_on(
    line: bytes, code: int
) -> None:
    """Row 33: an embedded line's end, two messages in a line, and the ways over HTTP."""
    rig = Rig()
    await rig.say(line)
    assert rig.server == []
    assert [answer["error"]["code"] for answer in rig.answers()] == [code]


@pytest.mark.parametrize(
    "line",
    [
        call("delete").replace(b'"id": 1, ', b""),
        notice("notifications/unknown"),
        notice("notifications/cancelled", requestId=1, Name="x"),
        notice("notifications/cancelled").replace(b"{}", b"null"),
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
    ],
)
async def test_a_refused_line_that_wants_no_answer_gets_none(line: bytes) -> None:
    """JSON-RPC 2.0 section 4.1: no response to a notification. The log tells of it."""
    rig = Rig()
    with capture_logs() as logged:
        await rig.say(line)
    assert (rig.server, rig.client) == ([], [])
    assert [entry["event"] for entry in logged] == ["refused"]


async def test_null_arguments_go_on_as_they_came_and_null_parameters_do_not() -> None:
    """The refusal names the request."""
    rig = Rig()
    null = call("add").replace(b'"arguments": {}', b'"arguments":  null')
    await rig.say(null, b'{"jsonrpc":"2.0","id":"a","method":"tools/call","params":null}')
    assert rig.server == [null]
    assert [one.arguments for one in rig.judge.calls] == [b"{}"]
    assert [(one["id"], one["error"]["code"]) for one in rig.answers()] == [("a", -32600)]


async def test_a_line_that_is_too_long_is_an_error_and_the_next_one_is_read() -> None:
    """Without an id, which nobody has read."""
    rig = Rig()
    await rig.wrap.from_client(None)
    await rig.say(call("add"))
    assert rig.answers()[0]["id"] is None
    assert len(rig.server) == 1


async def test_a_slow_decision_holds_up_nothing_else() -> None:
    """Lines without a decision keep their order."""
    rig = Rig()
    ping = b'{"jsonrpc":"2.0","id":9,"method":"ping"}'
    noticed = notice("notifications/initialized")
    await rig.say(call("slow"), noticed, call("add", 2), ping)
    assert rig.server[0] == noticed
    assert set(rig.server) == {noticed, ping, call("add", 2)}
    rig.judge.gate.set()
    await rig.say()
    assert rig.server[-1] == call("slow")


async def test_a_cancelled_request_that_still_waits_is_dropped_with_its_cancellation() -> None:
    """Neither arrives, and nothing is answered (MCP, cancellation)."""
    rig = Rig()
    await rig.say(call("slow"), notice("notifications/cancelled", requestId=1))
    rig.judge.gate.set()
    await rig.say()
    assert (rig.server, rig.client) == ([], [])
    await rig.say(call("add", 1))
    cancelled = notice("notifications/cancelled", requestId=1)
    await rig.say(cancelled)
    assert rig.server == [call("add", 1), cancelled]


async def test_an_id_under_way_is_not_taken_again() -> None:
    """Until its answer has come; 1 and "1" are two."""
    rig = Rig()
    await rig.say(call("add", 1), call("add", 1), call("add", "1"))
    assert len(rig.server) == 2
    assert [answer["error"]["code"] for answer in rig.answers()] == [-32600]
    await rig.wrap.from_server(b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}')
    await rig.say(call("add", 1))
    assert len(rig.server) == 3
    assert len(rig.judge.finished) == 1


async def test_a_servers_lines_pass_and_its_noise_does_not() -> None:
    """Banners and half messages would break the client."""
    rig = Rig()
    message = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1.0}}'
    for line in (b"Server ready!", b"", b"[]", b'{"a"', None, message, message + b"\r" + message):
        await rig.wrap.from_server(line)
    assert rig.client == [message]


async def test_a_list_comes_without_what_is_hidden() -> None:
    """As over HTTP."""
    rig = Rig()
    await rig.say(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    await rig.wrap.from_server(b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add"},{"name":"secret"}]}}')  # fmt: skip
    assert rig.answers()[0]["result"] == {"tools": [{"name": "add"}]}
    await rig.say(b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}')
    await rig.wrap.from_server(b'{"id":2,"result":{"tools":[{"name":"secret"}],"tools":[]}}')
    assert rig.answers()[1]["error"]["code"] == 5021


async def test_a_servers_request_is_judged_and_a_refusal_goes_back_to_it() -> None:
    """Its ids are its own: the same number may be under way in the other direction."""
    rig = Rig()
    await rig.say(call("add", 1))
    for method in ("sampling/createMessage", "elicitation/create"):
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
        await rig.wrap.from_server(json.dumps(asked).encode())
    await rig.say()
    assert [answer["method"] for answer in rig.answers()] == ["elicitation/create"]
    refused = json.loads(rig.server[1])
    assert (refused["id"], refused["error"]["code"]) == (1, 4030)
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}'
    await rig.say(answer)
    assert rig.server[2] == answer


async def test_the_end_settles_what_waits_and_frees_what_runs() -> None:
    """The client has said all it had to say; then it is gone."""
    rig = Rig()
    await rig.say(call("slow"))
    rig.judge.gate.set()
    await rig.wrap.settle()
    assert rig.server == [call("slow")]
    await rig.wrap.close()
    assert len(rig.judge.finished) == 1


async def test_a_server_answers_only_what_it_was_asked_and_once() -> None:
    """Made-up answers, second ones, and those to a request that has not gone on yet."""
    rig = Rig()
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
    await rig.wrap.from_server(answer)
    await rig.say(call("slow", 1), call("delete", 2))
    await rig.wrap.from_server(answer)
    await rig.wrap.from_server(answer.replace(b"1,", b"2,"))
    assert [one["id"] for one in rig.answers()] == [2]
    assert rig.judge.finished == []
    rig.judge.gate.set()
    await rig.say()
    for line in (answer.replace(b"1,", b'"1",'), answer.replace(b"1,", b"true,"),
                 answer.replace(b"1,", b"1.0,"), answer.replace(b'"id":1', b'"id":1,"ID":7'),
                 answer.replace(b'"id":1', b'"id":7,"id":1')):  # fmt: skip
        await rig.wrap.from_server(line)
    assert len(rig.client) == 1
    for _ in range(2):
        await rig.wrap.from_server(answer)
    assert rig.client[1:] == [answer]
    assert len(rig.judge.finished) == 1


async def test_an_answer_that_comes_after_its_cancellation_is_dropped() -> None:
    """What was taken for the call is free again: a server that heeds it answers nothing."""
    rig = Rig()
    await rig.say(call("add", 1))
    await rig.say(notice("notifications/cancelled", requestId=1))
    assert len(rig.judge.finished) == 1
    await rig.wrap.from_server(b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}')
    assert rig.client == []
    for named in (None, True, [1], 7):
        await rig.say(notice("notifications/cancelled", requestId=named))
    assert len(rig.server) == 6


async def test_a_client_answers_only_what_it_was_shown_and_once() -> None:
    """Nothing of what was denied or withdrawn reaches the server, and nobody is told."""
    rig = Rig()
    for number, method in enumerate(["ping", "sampling/createMessage", "elicitation/create"]):
        asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": {}}
        await rig.wrap.from_server(json.dumps(asked).encode())
    await rig.wrap.from_server(notice("notifications/cancelled", requestId=2))
    await rig.say()
    (refusal,) = rig.server
    assert json.loads(refusal)["id"] == 1
    shown = len(rig.client)
    answers = [b'{"jsonrpc":"2.0","id":%d,"result":{}}' % number for number in (1, 2, 3, 0, 0)]
    await rig.say(*answers)
    assert rig.server[1:] == [answers[3]]
    assert len(rig.client) == shown


async def test_a_server_that_reads_nothing_does_not_pile_up_refusals() -> None:
    """It asks and asks, and takes none of the answers."""
    rig, taken = Rig(), asyncio.Event()

    async def never(line: bytes) -> None:
        await taken.wait()

    rig.wrap._to_server = never
    for number in range(400):
        asked = {"jsonrpc": "2.0", "id": number, "method": "sampling/createMessage", "params": {}}
        await rig.wrap.from_server(json.dumps(asked).encode())
    assert len(rig.wrap._answers) == 256
    await rig.wrap.close()
