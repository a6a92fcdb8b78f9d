"""From a decision to what happens: only a whole allow goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pdp.api.model import (
    Appearance,
    Approval,
    ApprovalState,
    Decision,
    Effect,
    LimitResult,
    Obligation,
    Reason,
)
from pdp.api.reasons import REASONS
from pep.errors import (
    BodyTooLarge,
    InvalidParams,
    InvalidRequest,
    MethodNotFound,
    Refusal,
    VerbNotAllowed,
)
from pep.judge.enforce import Forward, Refuse, ask_again, enforce, refuse
from pep.mcp.error_codes import WIRE
from pep.mcp.jsonrpc import NO_REPLY, Request
from pep.mcp.methods import LEGACY, MODERN

CALL = Request(b"", 7, "tools/call", {"name": "drop"})
READ = Request(b"", "a", "resources/read", {"uri": "file:///x"})


def completion(**ref: str) -> Request:
    return Request(b"", 1, "completion/complete", {"ref": ref})


def decision(effect: Effect = Effect.DENY, code: str = "denied_by_rule", **more: Any) -> Decision:
    reason = Reason(code, more.pop("message", "Not here."))
    return Decision(decision_id="d1", effect=effect, reason=reason, rule="r", **more)


def refused(
    one: Decision, message: Request = CALL, era: str = MODERN, denial: Any = "result"
) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    """Status, headers and body of the answer."""
    verdict = enforce(message, one, era=era, denial=denial)
    assert isinstance(verdict, Refuse)
    headers = dict(verdict.headers)
    assert headers[b"content-length"] == str(len(verdict.body)).encode()
    return verdict.status, headers, json.loads(verdict.body)


def test_an_allow_goes_on() -> None:
    """Whatever the method, the era, the style."""
    for message in (CALL, READ):
        allowed = decision(Effect.ALLOW, "allowed")
        assert enforce(message, allowed, era=LEGACY, denial="error") == Forward()


@pytest.mark.parametrize("effect", [one for one in Effect if one is not Effect.ALLOW])
def test_nothing_but_an_allow_goes_on(effect: Effect) -> None:
    """Also effects that somebody may add."""
    assert isinstance(enforce(CALL, decision(effect), era=MODERN, denial="result"), Refuse)


def test_an_allow_with_an_obligation_nobody_knows_does_not_go_on() -> None:
    """An enforcement point that cannot do what it must may not let the call pass."""
    allowed = decision(Effect.ALLOW, "allowed", obligations=(Obligation("redact", b"{}"),))
    status, _, body = refused(allowed)
    assert status == 200
    assert body["result"]["_meta"]["tipstaff/decision"]["code"] == "unknown_obligation"
    assert "'redact'" in body["result"]["content"][0]["text"]


def test_a_refused_tool_call_is_a_result_that_the_model_reads() -> None:
    """Reason, advice, and the identifier to ask about; the same as data for programs."""
    status, _, body = refused(decision())
    assert status == 200
    assert body == {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {
            "content": [
                {
                    "type": "text",
                    "text": "Policy violation: Not here. Retrying will not help. (decision d1)",
                }
            ],
            "isError": True,
            "resultType": "complete",
            "_meta": {
                "tipstaff/decision": {
                    "decision_id": "d1",
                    "code": "denied_by_rule",
                    "rule": "r",
                }
            },
        },
    }
    assert "resultType" not in refused(decision(), era=LEGACY)[2]["result"]


def test_a_limit_says_which_and_when_to_come_back() -> None:
    """In the text, in `_meta`, and as Retry-After in whole seconds, rounded up."""
    limits = tuple(
        LimitResult(name, "session", 1, 60, 1, 0, passed, 0 if passed else 1500)
        for name, passed in (("tight", False), ("wide", True))
    )
    over = decision(code="rate_limited", limits=limits, retry_after_ms=1500)
    _, headers, body = refused(over)
    assert headers[b"retry-after"] == b"2"
    assert "Try again in 2 s." in body["result"]["content"][0]["text"]
    facts = body["result"]["_meta"]["tipstaff/decision"]
    told = [(one["name"], one["passed"], one["remaining"]) for one in facts["limits"]]
    assert (facts["retry_after_ms"], told) == (1500, [("tight", False, 0), ("wide", True, 0)])


def test_what_can_never_pass_does_not_say_when_to_come_back() -> None:
    """-1 milliseconds is no time."""
    _, headers, body = refused(decision(code="rate_limited", retry_after_ms=-1))
    assert b"retry-after" not in headers
    assert "Retrying will not help." in body["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("approval_required", "before a person has approved it"),
        ("policy_unavailable", "a fault of the gateway"),
        ("rate_limit_unavailable", "a fault of the gateway"),
        ("journal_unavailable", "a fault of the gateway"),
        ("no_permit", "Retrying will not help."),
    ],
)
def test_the_advice_fits_the_reason(code: str, advice: str) -> None:
    """An agent should know whether another try makes sense."""
    assert advice in refused(decision(code=code))[2]["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("code", "wire"),
    [("denied_by_rule", 4030), ("rate_limited", 4290), ("approval_required", 4031)],
)
def test_where_asked_for_a_denial_is_an_error(code: str, wire: int) -> None:
    """`denial = "error"`, and every method that is no tool call."""
    for message, style in ((CALL, "error"), (READ, "result")):
        status, _, body = refused(decision(code=code), message, denial=style)
        assert (status, body["error"]["code"]) == (200, wire)
        assert body["error"]["data"]["reason_code"] == code
        assert body["id"] == message.id


def test_without_a_decision_the_answer_is_503_in_every_style() -> None:
    """An error of the protocol: it is not the policy that said no."""
    status, _, body = refused(decision(code="pdp_unavailable"))
    assert (status, body["error"]["code"]) == (503, 5030)


@pytest.mark.parametrize(
    ("message", "text"),
    [(CALL, "Unknown tool: drop"), (READ, "Unknown resource: file:///x")],
)
@pytest.mark.parametrize(("era", "status"), [(LEGACY, 200), (MODERN, 400)])
def test_what_is_hidden_looks_like_what_does_not_exist(
    message: Request, text: str, era: str, status: int
) -> None:
    """Not a word of policy, rule or decision."""
    found, _, body = refused(decision(code="hidden", hidden=True), message, era)
    assert found == status
    assert body["error"] == {"code": -32602, "message": text}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Request(b"", 1, "prompts/get", {"name": "p"}), "Unknown prompt: p"),
        (Request(b"", 1, "resources/subscribe", {"uri": "a:b"}), "Unknown resource: a:b"),
        (completion(type="ref/prompt", name="p"), "Unknown prompt: p"),
        (completion(type="ref/resource", uri="a:{b}"), "Unknown resource: a:{b}"),
        (Request(b"", 1, "roots/list", {}), "Unknown target: "),
    ],
)
def test_the_kind_of_what_is_hidden_is_named(message: Request, text: str) -> None:
    """As a server would."""
    _, _, body = refused(decision(code="hidden", hidden=True), message)
    assert body["error"]["message"] == text


@pytest.mark.parametrize("message", [CALL, READ, completion(type="ref/prompt", name="p")])
@pytest.mark.parametrize("style", ["result", "error"])
@pytest.mark.parametrize("era", [LEGACY, MODERN])
@pytest.mark.parametrize("effect", [Effect.DENY, Effect.HOLD])
def test_what_is_hidden_is_answered_as_what_no_rule_names(
    message: Request, style: Any, era: str, effect: Effect
) -> None:
    """Where a name without a rule is denied, nobody can tell a hidden one from it."""
    reason = Reason("no_permit", "no rule permits this call")
    limits = (LimitResult("a", "session", 1, 60, 1, 0, True, 0),)
    absent = Decision(decision_id="d1", effect=effect, reason=reason, rule="mcp.main")
    hidden = decision(
        code="hidden",
        hidden=True,
        appearance=Appearance(effect, reason, "mcp.main"),
        limits=limits,
        retry_after_ms=9,
    )
    told = [enforce(message, one, era=era, denial=style) for one in (absent, hidden)]
    assert told[0] == told[1]


@pytest.mark.parametrize("kind", WIRE)
def test_every_refusal_has_an_answer(kind: type[Refusal]) -> None:
    """Its JSON-RPC code, its HTTP status, and the id it was asked with."""
    try:
        fault = kind("text")
    except TypeError:
        fault = kind("text", {})  # type: ignore[call-arg]
    answer = refuse("x", fault, era=MODERN)
    body = json.loads(answer.body)
    assert (answer.status, body["error"]["code"]) == (WIRE[kind].status, WIRE[kind].code)
    assert body["id"] == "x"


@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_a_refused_notification_gets_a_failure_without_an_id(era: str) -> None:
    """MCP, Streamable HTTP, sending messages: a status of failure, and an error that has no id."""
    for fault in (InvalidParams("x"), InvalidRequest("x")):
        answer = refuse(NO_REPLY, fault, era=era)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["message"] == "x"
        assert "id" not in json.loads(answer.body)


@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_a_notification_that_nobody_knows_is_taken_and_dropped(era: str) -> None:
    """Some clients give up a session for which a notification of theirs has failed."""
    answer = refuse(NO_REPLY, MethodNotFound("x", "m"), era=era)
    assert (answer.status, answer.headers, answer.body) == (202, [(b"content-length", b"0")], b"")


def test_statuses_that_must_say_more_do() -> None:
    """RFC 9110: which verbs are allowed, and that an unread body ends the connection."""
    assert (b"allow", b"GET, POST, DELETE") in refuse(None, VerbNotAllowed("x")).headers
    assert (b"connection", b"close") in refuse(None, BodyTooLarge("x")).headers


def test_every_reason_code_can_be_shown() -> None:
    """Also those of faults."""
    for code in REASONS:
        if code not in {"allowed", "hidden", "pdp_unavailable"}:
            text = refused(decision(code=code))[2]["result"]["content"][0]["text"]
            assert text.startswith("Policy violation: ")


PENDING = Approval("a-1", ApprovalState.PENDING, 840_000, ("finance", "ops"))


@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_a_call_that_waits_for_people_is_told_how_to_go_on_waiting(era: str) -> None:
    """Whom it waits for, until when, and that it must not change."""
    held = decision(Effect.HOLD, "approval_required", message="Ask first.", approval=PENDING)
    status, _, body = refused(held, era=era)
    text, facts = body["result"]["content"][0]["text"], body["result"]["_meta"]["tipstaff/decision"]
    assert (status, body["result"]["isError"]) == (200, True)
    assert text.startswith("Approval pending: Ask first. ")
    for part in ("finance, ops", "14 min", "exactly the same call again", "a-1", "d1"):
        assert part in text
    assert (facts["code"], facts["retry_after_ms"]) == ("approval_pending", 0)
    assert facts["approval"] == {"id": "a-1", "state": "pending", "expires_in_ms": 840_000}
    assert body["result"].get("resultType") == ("complete" if era == MODERN else None)


def test_a_method_without_results_for_models_waits_by_an_error() -> None:
    """With the same facts."""
    held = decision(Effect.HOLD, "approval_required", approval=PENDING)
    _, _, body = refused(held, READ)
    assert body["error"]["code"] == 4031
    assert body["error"]["data"]["reason_code"] == "approval_pending"
    assert body["error"]["data"]["approval"]["id"] == "a-1"


def test_a_refused_approval_is_a_violation_with_its_reason() -> None:
    """There is nothing to wait for."""
    ended = Approval("a-1", ApprovalState.REFUSED)
    message = "a person refused this call: not today"
    no = decision(Effect.DENY, "approval_refused", message=message, approval=ended)
    _, _, body = refused(no)
    text = body["result"]["content"][0]["text"]
    assert text.startswith("Policy violation: a person refused this call: not today.")
    assert "Retrying will not help." in text


def test_a_client_is_asked_to_make_its_request_again() -> None:
    """It is asked for nothing else."""
    refusal = ask_again("r-1", "tipstaff.x")
    assert refusal.status == 200
    assert dict(refusal.headers)[b"content-type"] == b"application/json"
    assert json.loads(refusal.body) == {
        "jsonrpc": "2.0",
        "id": "r-1",
        "result": {
            "resultType": "input_required",
            "inputRequests": {},
            "requestState": "tipstaff.x",
        },
    }
