"""One HTTP exchange: what reaches the upstream, what the client gets, and what the decision service hears."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from msgspec import structs

from pdp.api.model import Approval, ApprovalState, Effect, LimitResult, Obligation, Principal
from pep.config import Server
from pep.load.large_work import LARGE_BYTES
from pep.ports import BusyError, LostError, NeverReachedError, NeverSentCancelledError
from tests.exchange_rig import EVENTS_LINE, SERVER, ExchangeRig, Response, Service, decision

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add"}}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
NOTICE = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LEGACY = (b"mcp-protocol-version", b"2025-06-18")
SESSION = (b"mcp-session-id", b"abc")
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{}}'
LIMIT = LimitResult(
    name="l", scope="session", max=5, window=60, cost=1, remaining=4, passed=True
)  # fmt: skip
DENY = decision(Effect.DENY)
ASKED = b'{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}'
ANSWER = {"jsonrpc": "2.0", "id": "q", "result": {}}


def stream(*messages: bytes) -> Response:
    return Response((EVENTS_LINE,), tuple(b"data: " + message + b"\n\n" for message in messages))


async def until(condition: Any) -> None:
    """Let others work until `condition` holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_an_allowed_request_goes_on_as_the_very_bytes_that_were_judged() -> None:
    """Blanks and order included; the call ends with its answer."""
    rig = ExchangeRig()
    body = b' {"id":1,  "jsonrpc":"2.0","method":"tools/call","params":{"name":"add"}} '
    shown = await rig.request(body, LEGACY)
    (sent,) = rig.upstream.sent
    assert (sent.verb, sent.body, sent.caller) == ("POST", body, "anonymous:127.0.0.1")
    assert (shown.status, shown.body, shown.is_whole) == (200, RESULT, True)
    assert rig.service.reports == ["finish"]
    assert rig.upstream.answer.is_closed  # type: ignore[union-attr]


async def test_a_compressed_body_goes_on_compressed() -> None:
    """It was judged as it unpacks."""
    rig = ExchangeRig()
    body = gzip.compress(json.dumps(CALL).encode())
    await rig.request(body, LEGACY, (b"content-encoding", b"gzip"))
    assert [sent.body for sent in rig.upstream.sent] == [body]
    assert rig.service.calls[0].target == "add"


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.HOLD])
async def test_a_refused_request_never_reaches_the_upstream(effect: Effect) -> None:
    """And takes nothing, so there is nothing to give back."""
    rig = ExchangeRig(Service(decision(effect)))
    shown = await rig.request(CALL, LEGACY)
    assert rig.upstream.sent == []
    assert shown.json()["result"]["isError"] is True
    assert rig.service.reports == []


async def test_an_allow_whose_obligation_is_unknown_is_refused_and_refunded() -> None:
    """Nobody here can do what it asks for."""
    rig = ExchangeRig(Service(decision(obligations=(Obligation("sing"),))))
    assert (await rig.request(CALL, LEGACY)).json()["result"]["isError"] is True
    assert rig.upstream.sent == []
    assert rig.service.reports == ["refund"]


@pytest.mark.parametrize(
    ("failure", "status", "reports"),
    [
        (NeverReachedError("refused"), 502, ["refund"]),
        (BusyError("full"), 503, ["refund"]),
        (LostError("cut"), 502, ["lost"]),
    ],
)
async def test_only_a_call_that_never_reached_the_upstream_is_refunded(
    failure: Exception, status: int, reports: list[str]
) -> None:
    """One that was lost on the way may have been carried out."""
    rig = ExchangeRig()
    rig.upstream.answer = failure
    shown = await rig.request(CALL, LEGACY)
    assert (shown.status, "result" in shown.json()) == (status, False)
    assert rig.service.reports == reports


async def test_a_call_that_was_cancelled_before_it_was_sent_is_refunded() -> None:
    """The upstream has seen nothing of it."""
    rig = ExchangeRig()
    rig.upstream.answer = NeverSentCancelledError()
    with pytest.raises(asyncio.CancelledError):
        await rig.request(CALL, LEGACY)
    assert rig.service.reports == ["refund"]


async def test_a_client_that_leaves_ends_its_call() -> None:
    """The upstream may be at work on it: so it is finished, not refunded."""
    rig, gone = ExchangeRig(), asyncio.Event()
    rig.upstream.gate = asyncio.Event()
    asking = asyncio.ensure_future(rig.request(CALL, LEGACY, gone=gone))
    await until(lambda: rig.upstream.sent)
    gone.set()
    shown = await asking
    assert shown.status == 0
    assert rig.service.reports == ["finish"]


async def test_a_client_that_leaves_before_the_decision_sends_nothing_on() -> None:
    """Whatever the decision would have been."""
    rig, gone = ExchangeRig(), asyncio.Event()
    rig.service.gate = asyncio.Event()
    asking = asyncio.ensure_future(rig.request(CALL, LEGACY, gone=gone))
    await until(lambda: rig.service.calls)
    gone.set()
    await asking
    assert rig.upstream.sent == []


@pytest.mark.parametrize(("body", "status"), [((), 502), ((b'{"jso',), 502)])
async def test_a_response_that_breaks_off_before_it_has_begun_is_an_error(
    body: tuple[bytes, ...], status: int
) -> None:
    """Nothing of it has gone to the client."""
    rig = ExchangeRig()
    rig.upstream.answer = Response(body=body, is_lost=True)
    shown = await rig.request(CALL, LEGACY)
    assert (shown.status, "error" in shown.json()) == (status, True)
    assert rig.service.reports == ["lost"]


async def test_a_stream_that_breaks_off_stays_unfinished() -> None:
    """It must not look whole."""
    rig = ExchangeRig()
    rig.upstream.answer = Response((EVENTS_LINE,), (b"data: {}\n\n",), is_lost=True)
    shown = await rig.request(CALL, LEGACY)
    assert (shown.body, shown.is_whole) == (b"data: {}\n\n", False)


async def test_the_client_of_an_allowed_call_is_told_what_is_left_of_its_limits() -> None:
    """In header lines, because the body passes as it is; not where no target was judged."""
    rig = ExchangeRig(Service(decision(limits=(LIMIT,))))
    assert (await rig.request(CALL, LEGACY)).header(b"ratelimit") == b'"l";r=4'
    listed = {**PING, "method": "tools/list"}
    assert (await rig.request(listed, LEGACY)).header(b"ratelimit") == b""


async def test_what_needs_no_decision_asks_for_none() -> None:
    """A ping, a notification."""
    rig = ExchangeRig()
    rig.upstream.answer = Response(body=(b'{"jsonrpc":"2.0","id":2,"result":{}}',))
    assert (await rig.request(PING, LEGACY)).status == 200
    rig.upstream.answer = Response((), (), 202)
    assert (await rig.request(NOTICE, LEGACY)).status == 202
    assert rig.service.calls == []
    assert len(rig.upstream.sent) == 2
    assert rig.service.reports == []


@pytest.mark.parametrize(
    ("message", "lines", "status"),
    [
        (b"hello", (), 400),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', (), 400),
        (CALL, ((b"host", b"evil.example"),), 421),
        (CALL, ((b"origin", b"http://evil.example"),), 403),
        (CALL, ((b"content-type", b"text/plain"),), 415),
        (CALL, ((b"mcp-session-id", b"a"), (b"mcp-session-id", b"b")), 400),
    ],
)
async def test_what_cannot_be_admitted_is_neither_judged_nor_sent(
    message: Any, lines: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    """Bad text, a foreign host or origin, two meanings."""
    rig = ExchangeRig()
    assert (await rig.request(message, LEGACY, *lines)).status == status
    assert rig.service.calls == []
    assert rig.upstream.sent == []


@pytest.mark.parametrize(("verb", "lines"), [("PUT", ()), ("GET", ((b"mcp-protocol-version", b"2026-07-28"),))])  # fmt: skip
async def test_other_verbs_and_a_modern_get_are_refused(
    verb: str, lines: tuple[tuple[bytes, bytes], ...]
) -> None:
    """405 tells which verbs there are."""
    rig = ExchangeRig()
    shown = await rig.request(None, *lines, verb=verb)
    assert (shown.status, shown.header(b"allow")) == (405, b"GET, POST, DELETE")
    assert rig.upstream.sent == []


async def test_a_get_with_a_body_is_refused() -> None:
    """Two readers would end it in two places."""
    rig = ExchangeRig()
    shown = await rig.request(None, LEGACY, (b"content-length", b"3"), verb="GET")
    assert (shown.status, rig.upstream.sent) == (400, [])


async def test_two_requests_with_one_id_do_not_share_a_session() -> None:
    """One would have the other's answer; another session's are its own."""
    rig = ExchangeRig()
    rig.upstream.gate = asyncio.Event()
    first = asyncio.ensure_future(rig.request(CALL, LEGACY, SESSION))
    await until(lambda: rig.upstream.sent)
    assert (await rig.request(CALL, LEGACY, SESSION)).status == 400
    other = asyncio.ensure_future(rig.request(CALL, LEGACY, (b"mcp-session-id", b"other")))
    await until(lambda: len(rig.upstream.sent) == 2)
    rig.upstream.gate.set()
    assert [(await one).status for one in (first, other)] == [200, 200]
    assert (await rig.request(CALL, LEGACY, SESSION)).status == 200


async def test_a_client_answers_once_and_only_what_it_was_shown() -> None:
    """What policy refused it cannot be answered in its stead."""
    rig = ExchangeRig()
    assert (await rig.request(ANSWER, LEGACY, SESSION)).status == 400
    rig.upstream.answer = stream(ASKED)
    await rig.request(None, LEGACY, SESSION, verb="GET")
    rig.upstream.answer = Response((), (), 202)
    statuses = [(await rig.request(ANSWER, LEGACY, SESSION)).status for _ in range(2)]
    assert statuses == [202, 400]


async def test_an_answer_that_never_reached_the_upstream_may_be_given_again() -> None:
    """The upstream still waits for it."""
    rig = ExchangeRig()
    rig.upstream.answer = stream(ASKED)
    await rig.request(None, LEGACY, SESSION, verb="GET")
    rig.upstream.answer = NeverReachedError("refused")
    assert (await rig.request(ANSWER, LEGACY, SESSION)).status == 502
    rig.upstream.answer = Response((), (), 202)
    assert (await rig.request(ANSWER, LEGACY, SESSION)).status == 202


@pytest.mark.parametrize("status", [200, 404])
async def test_a_session_that_has_ended_is_owed_no_answer(status: int) -> None:
    """By DELETE, or because the upstream does not know it any more."""
    rig = ExchangeRig()
    rig.upstream.answer = stream(ASKED)
    await rig.request(None, LEGACY, SESSION, verb="GET")
    rig.upstream.answer = Response((), (), status)
    await rig.request(None, LEGACY, SESSION, verb="DELETE")
    assert (await rig.request(ANSWER, LEGACY, SESSION)).status == 400


async def test_a_client_that_comes_back_to_a_stream_may_not_answer_again() -> None:
    """The server's request is the same; on a new stream it would be another that uses the id again."""
    rig = ExchangeRig()
    statuses = []
    for lines in ((), ((b"last-event-id", b"1"),), ()):
        rig.upstream.answer = stream(ASKED)
        await rig.request(None, LEGACY, SESSION, *lines, verb="GET")
        rig.upstream.answer = Response((), (), 202)
        statuses.append((await rig.request(ANSWER, LEGACY, SESSION)).status)
    assert statuses == [202, 400, 202]


async def test_what_an_initialize_is_asked_for_is_answered_in_its_new_session() -> None:
    """Its id comes with the response that holds the server's request."""
    rig = ExchangeRig()
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}}
    asking = stream(ASKED, RESULT)
    rig.upstream.answer = Response((*asking.lines, SESSION), asking.body)
    await rig.request({**CALL, "method": "initialize", "params": params})
    rig.upstream.answer = Response((), (), 202)
    assert (await rig.request(ANSWER, LEGACY, SESSION)).status == 202


async def test_a_server_that_is_run_here_gets_the_plain_message() -> None:
    """There is no header line that would tell how it is packed."""
    rig = ExchangeRig(servers=(Server("s", command=("serve",)),))
    plain = json.dumps(CALL).encode()
    await rig.request(gzip.compress(plain), LEGACY, (b"content-encoding", b"gzip"))
    assert [sent.body for sent in rig.upstream.sent] == [plain]


async def test_a_tool_that_two_readers_could_name_differently_is_not_judged() -> None:
    """Unless the server's section lets names be any text."""
    odd = {**CALL, "params": {"name": "tool/add"}}
    rig = ExchangeRig()
    assert "error" in (await rig.request(odd, LEGACY)).json()
    assert rig.service.calls == []
    rig = ExchangeRig(servers=(structs.replace(SERVER, tool_names="any"),))
    assert (await rig.request(odd, LEGACY)).body == RESULT


async def test_a_task_of_another_caller_is_not_asked_for() -> None:
    """As if there were none."""
    rig = ExchangeRig()
    owner = Principal("anonymous:127.0.0.2", "anonymous")
    rig.parts.judging.tasks.learn("s", "t", owner)
    asking = {**CALL, "method": "tasks/get", "params": {"taskId": "t"}}
    shown = await rig.request(asking, LEGACY)
    assert (shown.json()["error"]["message"], rig.upstream.sent) == ("Task not found", [])
    rig.peer = "127.0.0.2"
    await rig.request(asking, LEGACY)
    assert len(rig.upstream.sent) == 1


async def test_a_request_of_the_server_that_is_refused_is_answered_by_the_proxy() -> None:
    """With the session of the stream, and its client sees nothing of it."""
    rig = ExchangeRig(Service(DENY))
    rig.upstream.answer = stream(ASKED)
    shown = await rig.request(None, LEGACY, SESSION, verb="GET")
    assert shown.body == b": removed\r\n\r\n"
    rig.upstream.answer = Response((), (), 202)
    await until(lambda: len(rig.upstream.sent) == 2)
    refusal = rig.upstream.sent[1]
    assert json.loads(refusal.body or b"")["id"] == "q"
    assert dict(refusal.lines)[b"mcp-session-id"] == b"abc"


async def test_a_fault_inside_is_an_error_and_sends_nothing_on() -> None:
    """Whatever it was."""
    rig = ExchangeRig()

    def fail(call: object) -> Any:
        raise RuntimeError("a mistake")

    rig.service.answer = fail
    shown = await rig.request(CALL, LEGACY)
    assert (shown.status, rig.upstream.sent) == (500, [])


async def test_one_caller_has_so_many_requests_under_way() -> None:
    """Another caller does not notice."""
    rig = ExchangeRig(max_under_way=1)
    rig.upstream.gate = asyncio.Event()
    first = asyncio.ensure_future(rig.request(CALL, LEGACY))
    await until(lambda: rig.upstream.sent)
    assert (await rig.request({**CALL, "id": 3}, LEGACY)).status == 429
    rig.peer = "127.0.0.2"
    second = asyncio.ensure_future(rig.request(CALL, LEGACY))
    await until(lambda: len(rig.upstream.sent) == 2)
    rig.upstream.gate.set()
    assert [(await one).status for one in (first, second)] == [200, 200]


PENDING = Approval("a-1", ApprovalState.PENDING, 900_000)
HELD = decision(Effect.HOLD, "approval_required", approval=PENDING)


@pytest.mark.parametrize("size", [10, LARGE_BYTES + 1])
async def test_what_is_judged_in_a_slot_is_not_held(size: int) -> None:
    """The large bodies of others would wait for its slot as long as people think."""
    body = json.dumps({**CALL, "params": {"name": "t", "arguments": {"p": "x" * size}}}).encode()
    packed = (gzip.compress(body), (b"content-encoding", b"gzip"))
    for message, *lines in (packed, (body,)):
        rig = ExchangeRig(Service(HELD), hold_seconds=1)
        rig.service.approvals = [PENDING] * 3
        shown = await rig.request(message, *lines)
        is_small = message is body and size == 10
        assert bool(rig.service.waits) is is_small
        text = shown.body.decode()
        assert "Approval pending: " in text
        assert text.startswith(": held a-1\n\n") is is_small


ROUNDS = Server("s", url="http://127.0.0.1:9/mcp", approval_rounds=2, hold_seconds=1)
MODERN = (
    (b"mcp-protocol-version", b"2026-07-28"),
    (b"mcp-method", b"tools/call"),
    (b"mcp-name", b"pay"),
    (b"accept", b"application/json"),
)


def paying(amount: int = 1, **more: Any) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "pay", "arguments": {"amount": amount}, "_meta": meta, **more}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


class Patient(Service):
    """Nobody answers while the client is connected: each wait takes its whole time, at once."""

    async def await_approval(self, approval_id: str, seconds: float) -> Approval | None:
        await super().await_approval(approval_id, seconds)
        await asyncio.sleep(seconds)
        return PENDING


def waiting() -> ExchangeRig:
    return ExchangeRig(Patient(structs.replace(HELD, approval=SHORT)), servers=(ROUNDS,))


SHORT = structs.replace(PENDING, hold_ms=1)


async def test_a_held_call_goes_on_over_several_requests_and_then_its_model_hears_of_it() -> None:
    """Each request names the approval that was waited for, and none reaches the server."""
    rig, state = waiting(), {}
    for _ in range(2):
        result = (await rig.request(paying(**state), *MODERN)).json()["result"]
        assert (result["resultType"], result["inputRequests"]) == ("input_required", {})
        state = {"requestState": result["requestState"], "inputResponses": {}}
    result = (await rig.request(paying(**state), *MODERN)).json()["result"]
    assert result["content"][0]["text"].startswith("Approval pending: ")
    assert result["resultType"] == "complete"
    assert [call.approval_id for call in rig.service.calls] == ["", "a-1", "a-1"]
    assert not any(call.is_retry for call in rig.service.calls)
    assert rig.upstream.sent == []


async def test_what_goes_on_after_a_round_is_the_call_as_it_was_judged() -> None:
    """Neither the state nor the answers are the server's, and a digest of the body would be wrong."""
    rig = waiting()
    shown = (await rig.request(paying(), *MODERN)).json()["result"]
    rig.service.answer = decision()
    body = json.dumps(paying(requestState=shown["requestState"])).encode()
    answer = await rig.request(body, *MODERN, (b"content-digest", b"sha-256=:x:"))
    assert answer.body == RESULT
    (sent,) = rig.upstream.sent
    assert sent.body is not None
    assert json.loads(sent.body) == paying()
    assert b"content-digest" not in dict(sent.lines)
    first, last = rig.service.calls
    assert (last.arguments, last.target) == (first.arguments, first.target)


async def test_a_state_that_is_not_for_the_call_is_an_error() -> None:
    """Never a new question to people, and never judged."""
    rig = waiting()
    state = (await rig.request(paying(), *MODERN)).json()["result"]["requestState"]
    judged = len(rig.service.calls)
    messages: list[Any] = [
        paying(2, requestState=state),
        paying(requestState=state + "A"),
        paying(requestState="tipstaff.forged"),
        paying(requestState=state, inputResponses={"q": {"action": "accept"}}),
        paying("x" * LARGE_BYTES, requestState=state),  # type: ignore[arg-type]
    ]
    for message in messages:
        shown = await rig.request(message, *MODERN)
        assert shown.json()["error"]["code"] == -32602
    packed = gzip.compress(json.dumps(paying(requestState=state)).encode())
    shown = await rig.request(packed, *MODERN, (b"content-encoding", b"gzip"))
    assert shown.json()["error"]["code"] == -32602
    rig.peer = "10.0.0.2"
    shown = await rig.request(paying(requestState=state), *MODERN)
    assert shown.json()["error"]["code"] == -32602
    assert (len(rig.service.calls), rig.upstream.sent) == (judged, [])


async def test_the_server_s_own_state_goes_on_and_is_not_lost_over_an_approval() -> None:
    """A call that answers the server's question is told as pending at once after its wait."""
    rig = waiting()
    message = paying(requestState="the-server-s", inputResponses={"q": {"action": "accept"}})
    result = (await rig.request(message, *MODERN)).json()["result"]
    assert result["content"][0]["text"].startswith("Approval pending: ")
    rig.service.answer = decision()
    body = json.dumps(message).encode()
    await rig.request(body, *MODERN)
    assert [sent.body for sent in rig.upstream.sent] == [body]


async def test_without_rounds_every_state_is_the_server_s() -> None:
    """Also one that another Tipstaff behind this one has given."""
    rig = ExchangeRig()
    body = json.dumps(paying(requestState="tipstaff.of-another")).encode()
    await rig.request(body, *MODERN)
    assert [sent.body for sent in rig.upstream.sent] == [body]
