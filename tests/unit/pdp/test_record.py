"""One decision, one line: complete, machine readable, without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pdp.api.model import (
    Call,
    Client,
    Decision,
    Effect,
    LimitResult,
    Obligation,
    Principal,
    Reason,
    Reference,
    Session,
    ShadowFinding,
)
from pdp.masking import MASK
from pdp.record import Timings, line
from tests.calls import call

NOW = 1_790_000_000_123_456_789
DECISION = Decision(
    decision_id="d1", effect=Effect.ALLOW, reason=Reason("allowed", "fine"), rule="r", revision="v"
)


def record(
    one: Call | None = None, decision: Decision = DECISION, fault: str = ""
) -> dict[str, Any]:
    data = line(
        one or call(), decision, now_ns=NOW, labels={"a": "b"}, timings=Timings(1, 2), fault=fault
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
        "client": "test 1",
        "era": "modern",
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
