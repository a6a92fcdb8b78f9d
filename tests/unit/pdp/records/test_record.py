"""One decision, one line: complete, machine readable, without secrets."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from pdp.api.model import (
    Call,
    Client,
    Decision,
    Effect,
    LimitResult,
    Obligation,
    Principal,
    Protocol,
    Reason,
    Reference,
    Session,
    ShadowFinding,
)
from pdp.policy.input import policy_input
from pdp.records.documents import MAX_RECORDED
from pdp.records.record import Timings, line
from pdp.records.shown import PolicyInput
from pdp.rules.claims import ClaimsRead
from pdp.tools.catalogue import Facts, Pin, Tool
from tests.calls import call
from tipstaff.common.masking import MASK

NOW = 1_790_000_000_123_456_789
DECISION = Decision(
    decision_id="d1", effect=Effect.ALLOW, reason=Reason("allowed", "fine"), rule="r", revision="v"
)


TOOL = Tool(
    Facts("Write", "high", 0.75, ("marked",), pinned=True),
    Raw(b'{"readOnlyHint":true}'),
    pin=Pin("sha256:" + "a" * 64, "2026-11-24T22:00:00Z"),
)


def record(
    one: Call | None = None,
    decision: Decision = DECISION,
    fault: str = "",
    question: PolicyInput | None = None,
) -> dict[str, Any]:
    data = line(
        one or call(),
        decision,
        now_ns=NOW,
        labels={"a": "b"},
        timings=Timings(1, 2),
        fault=fault,
        question=question,
    )
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    found: dict[str, Any] = json.loads(data)
    return found


def test_a_record_names_who_what_when_and_why() -> None:
    """Field names as in OPA's decision log where they mean the same."""
    assert record(call(arguments=b'{"path":"/x"}')) == {
        "type": "tipstaff.decision",
        "decision_id": "d1",
        "timestamp": "2026-09-21T14:13:20.123456Z",
        "labels": {"a": "b"},
        "revision": "v",
        "server": "files",
        "method": "tools/call",
        "target": "read",
        "phase": "call",
        "principal": {"id": "anonymous:127.0.0.1", "kind": "anonymous"},
        "session": {"id": "s1", "kind": "cooperative"},
        "client": {"name": "test", "version": "1"},
        "protocol": {"era": "modern", "version": "2026-07-28"},
        "transport": "http",
        "effect": "allow",
        "reason": {"code": "allowed", "message": "fine"},
        "rule": "r",
        "timings": {"policy_us": 1, "total_us": 2},
        "request_id": "r1",
        "arguments": {"path": "/x"},
    }


def test_the_record_of_a_completion_says_what_was_completed() -> None:
    """By its target alone it could be a prompt or a resource."""
    one = replace(call(method="completion/complete"), reference=Reference.PROMPT)
    assert record(one)["reference"] == "prompt"


def test_limits_obligations_and_shadow_findings_are_recorded() -> None:
    """Only when there are any."""
    limit = LimitResult("l", "session", 3, 60, 1, 2, passed=True)
    shadow = ShadowFinding(Effect.DENY, Reason("c", "m"), "r2")
    full = replace(
        DECISION, limits=(limit,), obligations=(Obligation("t", b'{"k":1}'),), shadow=(shadow,)
    )
    found = record(decision=full, fault="detail")
    assert found["limits"][0]["remaining"] == 2
    assert found["obligations"] == [{"type": "t", "properties": {"k": 1}}]
    assert found["shadow"] == [
        {"effect": "deny", "reason": {"code": "c", "message": "m"}, "rule": "r2"}
    ]
    assert found["fault"] == "detail"
    assert not {"limits", "obligations", "shadow", "fault"} & set(record())


def asked(one: Call, tool: Tool = TOOL, claims_read: ClaimsRead = None) -> dict[str, Any]:
    """The record of a call about which the policy was asked."""
    return record(one, question=PolicyInput(policy_input(one, tool, NOW), tool, claims_read))


def with_claims(**claims: Any) -> Call:
    principal = Principal("alice", "jwt", json.dumps(claims).encode())
    return replace(call(), principal=principal)


def test_a_record_holds_what_the_policy_was_asked() -> None:
    """Under the names of its input; and the digest of all of it."""
    one = replace(with_claims(roles=["a"]), is_retry=True)
    found = asked(one)
    question = json.loads(policy_input(one, TOOL, NOW))
    left_out = {"direction": "to_server", "reference": ""}
    assert {name: (left_out | found).get(name) for name in question} == question
    assert found["pin"] == {"digest": "sha256:" + "a" * 64, "accepted": "2026-11-24T22:00:00Z"}
    digest = hashlib.sha256(policy_input(one, TOOL, NOW)).hexdigest()
    assert found["input_digest"] == f"sha256:{digest}"
    assert not {"masked", "omitted", "unread"} & set(found)


def test_only_claims_that_rules_read_are_recorded() -> None:
    """The others are somebody's affairs; the record says that there were some."""
    one = with_claims(roles=["a"], email="a@example.org")
    assert asked(one, claims_read=frozenset({"roles"}))["principal"]["claims"] == {"roles": ["a"]}
    none = asked(one, claims_read=frozenset())
    assert ("claims" in none["principal"], none["unread"]) == (False, ["/principal/claims"])
    assert "unread" not in asked(one, claims_read=frozenset({"roles", "email"}))
    assert "unread" not in asked(call(), claims_read=frozenset({"roles"}))


def test_the_digest_tells_nothing_of_claims_that_are_not_recorded() -> None:
    """An address can be guessed, and each guess held against it."""
    read = frozenset({"roles"})
    one, other = (with_claims(roles=["a"], email=f"{name}@x.org") for name in "ab")
    assert asked(one, claims_read=read)["input_digest"] == asked(other, claims_read=read)[
        "input_digest"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "where"),
    [
        (call(arguments=b'{"pin":1234}'), "/arguments/pin"),
        (call(target="x?token=1234"), "/target"),
        (replace(call(), client=Client("c", "secret=1234")), "/client/version"),
        (replace(call(), protocol=Protocol("modern", "pin=1234")), "/protocol/version"),
        (with_claims(pin=1234), "/principal/claims/pin"),
    ],
)
def test_there_is_no_digest_over_what_was_masked(one: Call, where: str) -> None:
    """Four digits are found in a moment by whoever has it."""
    found = asked(one)
    assert found["masked"] == [where]
    assert "input_digest" not in found
    assert "1234" not in json.dumps(found["arguments"]) + found["target"]


def test_a_text_that_reads_like_a_mask_is_told_apart_from_one() -> None:
    """Callers can write it."""
    literal = asked(call(arguments=b'{"a":"[masked]","b":{"[omitted]": "20000 bytes"}}'))
    assert not {"masked", "omitted"} & set(literal)
    assert "input_digest" in literal


def test_what_is_too_large_is_named() -> None:
    """Arguments, claims and annotations; and there is no digest then."""
    large = {"k": "x" * MAX_RECORDED}
    tool = replace(TOOL, annotations=Raw(json.dumps(large).encode()))
    found = asked(replace(with_claims(**large), arguments=json.dumps(large).encode()), tool)
    assert found["omitted"] == ["/arguments", "/annotations", "/principal/claims"]
    assert "input_digest" not in found
    assert len(json.dumps(found)) < 2000


def test_an_identifier_of_a_trace_is_no_part_of_the_question() -> None:
    """It may be masked, and the digest stands."""
    found = asked(replace(call(), trace_id="token=abc"))
    assert found["masked"] == ["/trace_id"]
    assert "input_digest" in found


def test_a_refusal_about_which_no_policy_was_asked_has_no_question() -> None:
    """Nothing that could be replayed."""
    assert not {"time", "input_digest", "tool", "annotations"} & set(record())


SECRET = "password=hunter2hunter2"


@pytest.mark.parametrize(
    "one",
    [
        call(arguments=b'{"password":"hunter2hunter2"}'),
        call(arguments=json.dumps({"url": f"http://x/?{SECRET}"}).encode()),
        call(target=SECRET),
        call(method=SECRET),
        call(session=SECRET),
        call(request_id=SECRET),
        replace(call(), client=Client("c", SECRET)),
        replace(call(), trace_id=SECRET),
    ],
    ids=["argument", "inside", "target", "method", "session", "request id", "client", "trace"],
)
def test_a_secret_is_masked_wherever_a_caller_can_write_one(one: Call) -> None:
    """By key name and by value pattern."""
    text = json.dumps(record(one))
    assert "hunter2" not in text
    assert MASK in text


def test_a_secret_that_a_rule_quotes_is_masked() -> None:
    """In the reason, in a shadow finding and in the fault."""
    said = replace(
        DECISION,
        reason=Reason("c", SECRET),
        shadow=(ShadowFinding(Effect.DENY, Reason("c", SECRET), "r"),),
    )
    assert "hunter2" not in json.dumps(record(decision=said, fault=SECRET))


@given(
    st.text(),
    st.text(),
    st.text(),
    st.dictionaries(st.text(), st.text() | st.integers(), max_size=3),
)
def test_no_text_of_a_caller_breaks_the_line(
    target: str, session: str, principal: str, arguments: dict[str, Any]
) -> None:
    """Quotes, newlines and control characters are escaped, never passed through."""
    one = replace(
        call(arguments=json.dumps(arguments).encode(), target=target),
        session=Session(session, "cooperative"),
        principal=Principal(principal, "anonymous"),
    )
    found = record(one)
    assert found["principal"]["id"] == principal
    assert set(found["arguments"]) == set(arguments)
