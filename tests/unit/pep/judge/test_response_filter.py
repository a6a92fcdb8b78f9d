"""What a client sees of a server's messages, and what the decision service hears of the questions in them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import Call, Decision, Effect, Phase
from pep.errors import AnswerUnreadable, DecisionAway
from pep.judge.parts import JudgeParts
from pep.judge.response_filter import ResponseFilter
from pep.judge.server_requests import Holder, ServerRequests, Shown
from pep.judge.tasks import TaskBook
from pep.mcp.jsonrpc import Request
from tests.calls import call
from tests.exchange_rig import Service, decision

DENY, HIDE = decision(Effect.DENY), decision(Effect.DENY, hidden=True)
HOLDER = Holder("files", "anonymous:127.0.0.1", "s1")


class Rig:
    """A filter of one response to a call."""

    def __init__(self, answer: Any = None, request_id: Any = 1) -> None:
        self.service = Service(answer)
        self.tasks = TaskBook()
        self.book = ServerRequests()
        self.to_server: list[Any] = []
        numbers = iter(range(10_000))
        parts = JudgeParts(self.service, self.tasks, lambda: f"q{next(numbers)}", 60_000)
        request = None if request_id is None else Request(b"", request_id, "tools/call", {})
        self.filter = ResponseFilter(
            parts, structs.replace(call(), is_retry=True), request=request, denial="error",
            answer_server=lambda body: self.to_server.append(json.loads(body)),
            shown=Shown(self.book, HOLDER),
        ).filter  # fmt: skip


def message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def tools(*names: str) -> bytes:
    return message(id=1, result={"tools": [{"name": name, "inputSchema": {}} for name in names]})


SAMPLING = message(id="s", method="sampling/createMessage", params={})
LINKS = message(
    id=1, result={"resultType": "input_required", "inputRequests": {
        "a": {"method": "elicitation/create", "params": {"mode": "url", "url": "https://a"}},
        "b": {"method": "sampling/createMessage", "params": {}},
    }},
)  # fmt: skip


def by_target(**answers: Decision) -> Any:
    return lambda asked: answers.get(asked.target or asked.method.split("/")[0], decision())


@pytest.mark.parametrize(
    "data",
    [
        message(id=1, result={"content": []}),
        message(method="notifications/progress", params={"progressToken": 1, "progress": 1}),
        message(id=1, error={"code": -32000, "message": "x"}),
    ],
)
async def test_what_asks_for_nothing_passes_as_the_same_object(data: bytes) -> None:
    """Nobody is asked about it."""
    rig = Rig(DENY)
    assert await rig.filter(data) is data
    assert rig.service.calls == []


@pytest.mark.parametrize("data", [b"hello", b"\xff\xfe{\x00}\x00", b"[]", b'{"a":"\xff"}'])
async def test_what_is_no_json_object_in_utf_8_cannot_be_judged(data: bytes) -> None:
    """Some readers guess."""
    with pytest.raises(AnswerUnreadable):
        await Rig().filter(data)


async def test_hidden_entries_are_taken_out_of_a_list() -> None:
    """Each is a question of the caller's own, in the phase of lists."""
    rig = Rig(by_target(b=HIDE, c=DENY))
    shown = json.loads(await rig.filter(tools("a", "b", "c")))
    assert [tool["name"] for tool in shown["result"]["tools"]] == ["a", "c"]
    assert {asked.phase for asked in rig.service.calls} == {Phase.LIST}
    assert {asked.principal.id for asked in rig.service.calls} == {HOLDER.principal}
    assert rig.service.reports == []


async def test_entries_are_asked_about_with_nothing_of_the_call() -> None:
    """Neither its arguments nor its target."""
    rig = Rig()
    await rig.filter(tools("a", "b"))
    entries = rig.service.calls
    assert {entry.request_id for entry in entries} == {"q0"}
    assert {entry.target for entry in entries} == {"a", "b"}
    assert {entry.arguments for entry in entries} == {b"{}"}
    assert not any(entry.is_retry for entry in entries)


async def test_a_list_that_cannot_be_judged_is_not_shown() -> None:
    """An empty list would look like an answer."""
    with pytest.raises(DecisionAway):
        await Rig(by_target(b=decision(Effect.DENY, "policy_unavailable"))).filter(tools("a", "b"))


async def test_a_long_list_is_asked_about_a_thousand_entries_at_a_time() -> None:
    """And the last of them is hidden as the first is."""
    rig = Rig(by_target(**{"0": HIDE, "1000": HIDE, "2499": HIDE}))
    shown = json.loads(await rig.filter(tools(*map(str, range(2500)))))
    hidden = {"0", "1000", "2499"}
    assert [tool["name"] for tool in shown["result"]["tools"]] == [
        str(number) for number in range(2500) if str(number) not in hidden
    ]
    assert [entry.request_id for entry in rig.service.calls[::1000]] == ["q0", "q1", "q2"]


async def test_a_large_list_is_filtered_as_well() -> None:
    """In a thread, so that it holds up nobody."""
    rig = Rig(by_target(b=HIDE))
    padding = {"name": "a", "description": "x" * 300_000, "inputSchema": {}}
    data = message(id=1, result={"tools": [padding, {"name": "b", "inputSchema": {}}]})
    shown = json.loads(await rig.filter(data))
    assert [tool["name"] for tool in shown["result"]["tools"]] == ["a"]


async def test_a_request_of_the_server_may_be_answered_once_it_is_shown() -> None:
    """What it took is finished: the client's answer is no call."""
    rig = Rig(request_id=None)
    assert await rig.filter(SAMPLING) is SAMPLING
    assert rig.book.answer(HOLDER, "s")
    assert rig.service.reports == ["finish"]
    assert rig.to_server == []


async def test_a_request_of_the_server_that_is_refused_is_answered_here() -> None:
    """Its client neither sees it nor may answer it."""
    rig = Rig(DENY, request_id=None)
    assert await rig.filter(SAMPLING) == b""
    assert not rig.book.answer(HOLDER, "s")
    assert [answer["id"] for answer in rig.to_server] == ["s"]
    assert rig.service.reports == []


async def test_a_request_that_the_server_takes_back_may_not_be_answered() -> None:
    """It would be an answer to nothing."""
    rig = Rig(request_id=None)
    await rig.filter(SAMPLING)
    await rig.filter(message(method="notifications/cancelled", params={"requestId": "s"}))
    assert not rig.book.answer(HOLDER, "s")


async def test_input_that_may_be_asked_for_is_shown() -> None:
    """And each question's call has ended with that."""
    rig = Rig()
    assert await rig.filter(LINKS) is LINKS
    assert len(rig.service.calls) == 2
    assert rig.service.reports == ["finish", "finish"]


async def test_a_server_that_may_not_ask_one_of_its_questions_asks_none() -> None:
    """What the others took is given back; the refusal answers the client's own request."""
    rig = Rig(lambda asked: DENY if asked.method == "sampling/createMessage" else decision())
    answer = json.loads(await rig.filter(LINKS))
    assert (answer["id"], answer["error"]["data"]["reason_code"]) == (1, "code")
    assert rig.service.reports == ["refund"]


@pytest.mark.parametrize("request_id", [2, None])
async def test_a_refusal_answers_the_request_that_the_message_names(request_id: int | None) -> None:
    """Also on a stream that holds the answers of several."""
    rig = Rig(DENY, request_id=request_id)
    assert json.loads(await rig.filter(LINKS))["id"] == 1


async def test_questions_that_are_dropped_with_their_client_give_back_what_they_took() -> None:
    """Nobody was asked them."""
    rig = Rig()
    second = asyncio.Event()

    async def decide(asked: Call) -> Decision:
        rig.service.calls.append(asked)
        if len(rig.service.calls) == 2:
            await second.wait()
        return decision()

    rig.service.decide = decide  # type: ignore[method-assign]
    filtering = asyncio.ensure_future(rig.filter(LINKS))
    for _ in range(5):
        await asyncio.sleep(0)
    filtering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filtering
    assert rig.service.reports == ["refund"]


async def test_a_task_is_of_the_caller_whose_call_created_it() -> None:
    """So only this caller may ask for its result."""
    rig = Rig()
    await rig.filter(message(id=1, result={"task": {"taskId": "t", "status": "working"}}))
    owner = call().principal
    assert rig.tasks.is_owner("files", "t", owner)
    assert not rig.tasks.is_owner("files", "t", structs.replace(owner, id="anonymous:other"))


async def test_a_list_of_tasks_holds_the_callers_own() -> None:
    """Another's task is not shown, whatever policy says."""
    rig = Rig()
    rig.tasks.learn("files", "mine", call().principal)
    rig.tasks.learn("files", "theirs", structs.replace(call().principal, id="anonymous:other"))
    entries = [{"taskId": name, "status": "working"} for name in ("mine", "theirs")]
    shown = json.loads(await rig.filter(message(id=1, result={"tasks": entries})))
    assert [task["taskId"] for task in shown["result"]["tasks"]] == ["mine"]
