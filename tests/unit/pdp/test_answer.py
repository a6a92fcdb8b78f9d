"""Reading OPA's answer: only a whole and exact answer is ever more than a fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from pdp.answer import BatchAnswer, Check, Fault, Limit, PolicyAnswer, late, read, unavailable
from pdp.api.model import Appearance, Effect, Obligation, Reason, ShadowFinding
from pdp.api.reasons import REASONS
from pdp.approvals.terms import Hold, Terms

LIMIT: dict[str, Any] = {"name": "files/read", "scope": "session", "max": 3, "window": 60}
SHADOW: dict[str, Any] = {"effect": "deny", "code": "c", "message": "m", "rule": "r"}
APPEARANCE: dict[str, Any] = {
    "effect": "deny",
    "reason": {"code": "no_permit", "message": "m"},
    "rule": "mcp.main",
}
ANSWER: dict[str, Any] = {
    "effect": "allow",
    "reason": {"code": "allowed", "message": "fine"},
    "rule": "servers.files.tools.read",
    "hidden": False,
    "limits": [],
    "checks": [],
    "obligations": [],
    "shadow": [],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ANSWER, "x"]), inner, max_size=8)
    ),
    max_leaves=12,
)


def answer(**changes: Any) -> dict[str, Any]:
    return {**ANSWER, **changes}


def body(*answers: Any, **more: Any) -> bytes:
    return json.dumps({"result": dict(enumerate(answers)), **more}).encode()


def read_one(data: bytes, status: int = 200) -> PolicyAnswer | Fault:
    (found,) = read(status, data, 1).answers
    return found


def fault_code(data: bytes, status: int = 200) -> str:
    found = read_one(data, status)
    assert isinstance(found, Fault), found
    assert found.code in REASONS
    assert found.detail
    return found.code


def test_a_whole_answer_is_read_member_by_member() -> None:
    """Each member arrives where the fold looks for it."""
    full = answer(
        effect="hold",
        hidden=True,
        limits=[{**LIMIT, "rule": "l", "cost": 2, "on_store_error": "deny"}],
        checks=[
            {"rule": "c", "schema": {"type": "object"}},
            {"rule": "d", "schema_ref": "declared"},
            {"rule": "e", "schema_ref": "declared", "shadow": True},
        ],
        obligations=[{"type": "redact", "fields": ["a", {"b": 1}]}],
        shadow=[SHADOW],
        appearance=APPEARANCE,
        holds=[{"rule": "h", "code": "c", "message": "m", "approval": {"approvers": ["ops"]}}],
    )
    assert read_one(body(full)) == PolicyAnswer(
        effect=Effect.HOLD,
        reason=Reason("allowed", "fine"),
        rule="servers.files.tools.read",
        hidden=True,
        limits=(Limit("files/read", "session", 3, 60, rule="l", cost=2),),
        checks=(
            Check("c", schema=Raw(b'{"type": "object"}')),
            Check("d", schema_ref="declared"),
            Check("e", schema_ref="declared", shadow=True),
        ),
        obligations=(Obligation("redact", b'{"fields":["a", {"b": 1}]}'),),
        shadow=(ShadowFinding(Effect.DENY, Reason("c", "m"), "r"),),
        appearance=Appearance(Effect.DENY, Reason("no_permit", "m"), "mcp.main"),
        holds=(Hold("h", Reason("c", "m"), Terms(approvers=("ops",))),),
    )


def test_a_hold_by_no_rule_is_no_answer() -> None:
    """Nobody would know on which terms it may be approved."""
    fault = read_one(body(answer(effect="hold")))
    assert isinstance(fault, Fault)
    assert fault.code == "policy_invalid_result"


def test_answers_stand_in_the_order_of_the_calls() -> None:
    """They are looked up by place, and a gap shifts nothing."""
    data = json.dumps(
        {"result": {"2": answer(rule="two"), "0": answer(rule="zero"), "3": answer(rule="more")}}
    ).encode()
    zero, one, two = read(200, data, 3).answers
    assert isinstance(zero, PolicyAnswer)
    assert isinstance(two, PolicyAnswer)
    assert (zero.rule, two.rule) == ("zero", "two")
    assert one == Fault("policy_undefined", "the policy gave no answer for this call")


def test_a_bad_answer_harms_no_other() -> None:
    """Each call of a batch has its own fault."""
    first, second, third = read(200, body(answer(effect="Allow"), answer(), 7), 3).answers
    assert isinstance(first, Fault)
    assert isinstance(second, PolicyAnswer)
    assert isinstance(third, Fault)


@pytest.mark.parametrize(
    "wrong",
    [
        *(True, None, "allow", [], {}, {"effect": "allow"}, {"allow": True}, {"result": ANSWER}),
        answer(allow=True),
        *(answer(effect=effect) for effect in ("Allow", "ALLOW", "", "permit", True, None, 1)),
        answer(effect=["allow"]),
        *(answer(hidden=hidden) for hidden in (None, "false", 0)),
        *(answer(rule=rule) for rule in (None, 1, ["r"])),
        *(answer(reason=reason) for reason in (None, "fine", {}, {"code": "c"}, {"message": "m"})),
        answer(reason={"code": "c", "message": "m", "hidden": True}),
        answer(reason={"code": "c", "message": None}),
        *(answer(limits=limits) for limits in (None, {}, LIMIT, [None], [{}], ["files/read"])),
        *(answer(checks=checks) for checks in (None, {}, [None], [{}], [{"schema": {}}])),
        *(answer(shadow=shadow) for shadow in (None, SHADOW, [{}], [{**SHADOW, "effect": "x"}])),
        answer(shadow=[{**SHADOW, "more": 1}]),
        *(answer(appearance=wrong) for wrong in (True, [], {}, {**APPEARANCE, "more": 1})),
        *(answer(appearance={**APPEARANCE, "effect": effect}) for effect in ("allow", "", None)),
        *(answer(obligations=wrong) for wrong in (None, {}, [None], ["redact"], [{"type": 7}])),
        *({name: ANSWER[name] for name in ANSWER if name != missing} for missing in ANSWER),
    ],
)
def test_an_answer_of_the_wrong_shape_is_a_fault(wrong: Any) -> None:
    """Missing, unknown and mistyped members alike: nothing is guessed."""
    assert fault_code(body(wrong)) == "policy_invalid_result"


@pytest.mark.parametrize(
    "change",
    [
        *({"max": most} for most in (0, -1, 3.0, 0.5, "3", True, None, 10_001, 10**30)),
        *({"window": window} for window in (0, -1, 60.0, "60", None, 366 * 24 * 3600 + 1)),
        *({"cost": cost} for cost in (0, -5, 1.0, "1", None, True, 1_000_001, 2**63, 10**30)),
        *({"scope": scope} for scope in ("", "user", "Session", None)),
        *({"name": name} for name in ("", "n" * 9001, None, 7)),
        *({"algorithm": "fixed_window"}, {"on_store_error": "maybe"}, {"rule": None}),
        *({"burst": 1}, {"max": 10_001}, {"shadow": 1}, {"shadow": None}),
        *({"algorithm": "gcra", "burst": change} for change in (-1, 11, 1.5, True)),
        {"algorithm": "gcra", "max": 1_000_001},
    ],
)
def test_a_limit_that_could_not_be_kept_is_a_fault(change: dict[str, Any]) -> None:
    """A negative cost would mint budget, a word we do not know would be no limit at all."""
    assert fault_code(body(answer(limits=[{**LIMIT, **change}]))) == "policy_invalid_result"


@pytest.mark.parametrize(
    "check",
    [
        {"rule": "r"},
        {"rule": "r", "schema_ref": ""},
        {"rule": "r", "schema_ref": "Declared"},
        {"rule": "r", "schema_ref": "declared", "schema": {"type": "object"}},
        {"rule": "r", "schema": {}, "strict": True},
        {"rule": None, "schema": {}},
        *({"rule": "r", "schema": {}, "shadow": shadow} for shadow in (1, "true", None)),
    ],
)
def test_a_check_that_would_be_held_by_half_is_a_fault(check: dict[str, Any]) -> None:
    """Of a schema and a reference only one could be held; of neither, nothing."""
    assert fault_code(body(answer(checks=[check]))) == "policy_invalid_result"


def test_an_obligation_without_a_type_is_kept() -> None:
    """No enforcement point knows it, so that the call is refused there."""
    found = read_one(body(answer(obligations=[{"a": 1}])))
    assert isinstance(found, PolicyAnswer)
    assert found.obligations == (Obligation("", b'{"a":1}'),)


@pytest.mark.parametrize("odd", ["1e400", '{"a":1,"a":2}', "[" * 70 + "]" * 70])
def test_an_obligation_that_is_not_strict_json_is_a_fault(odd: str) -> None:
    """It goes to the enforcement point and to the journal as it is."""
    text = json.dumps(answer(obligations=[{"type": "x", "with": "?"}])).replace('"?"', odd)
    assert fault_code(f'{{"result":{{"0":{text}}}}}'.encode()) == "policy_invalid_result"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", "policy_undefined"),
        (b'{"decision_id":"8f36"}', "policy_undefined"),
        (b'{"result":null}', "policy_undefined"),
        (b'{"result":{}}', "policy_undefined"),
        (b'{"result":{"1":{}}}', "policy_undefined"),
        (body({"00": ANSWER}, warning={"code": "api_usage_warning"}), "policy_error"),
        (body(ANSWER, warning={"code": "api_usage_warning"}), "policy_error"),
        (body(ANSWER, warning="x"), "policy_error"),
        *(
            (data, "policy_invalid_result")
            for data in (
                *(b"", b"null", b"[]", b"true", b"allow", b'"allow"', b"{", b"\xff", b"{}{}"),
                *(b'{"result":true}', b'{"result":"allow"}', b'{"result":[{}]}', b'{"result":1}'),
                b'{"result":' + json.dumps([ANSWER]).encode() + b"}",
                b'{"result":{"0":{"effect":NaN}}}',
                b'{"result":{"0":' + b"[" * 100_000,
                b'{"result":{"0":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
                body(ANSWER, provenance={"bundles": []}),
                body(ANSWER, provenance={"bundles": {"mcp": {"revision": 1}}}),
            )
        ),
    ],
)
def test_an_answer_that_is_none_is_a_fault(data: bytes, code: str) -> None:
    """No result, a warning, and bytes that are no envelope, each with its own code."""
    assert fault_code(data) == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "policy_error"),
        (500, "policy_error"),
        *((other, "policy_unavailable") for other in (0, 201, 204, 301, 401, 403, 404, 429, 503)),
    ],
)
def test_any_status_but_200_is_a_fault(status: int, code: str) -> None:
    """Even when the body would be an allow; the status and the text reach the operator."""
    assert fault_code(body(ANSWER), status) == code
    found = read_one(b"\xffsomething\xff" + b"x" * 9999, status)
    assert isinstance(found, Fault)
    assert f"{status}: \ufffdsomething" in found.detail
    assert len(found.detail) < 600


@pytest.mark.parametrize("status", [401, 404, 413, 503])
def test_a_refused_batch_is_a_fault_for_each_call(status: int) -> None:
    """These are not the fault of one call, so that asking one by one would not help."""
    found = read(status, b"{}", 3)
    assert len(found.answers) == 3
    assert all(isinstance(one, Fault) for one in found.answers)
    assert not found.one_by_one


@pytest.mark.parametrize(
    "answer_to",
    [
        lambda count: read(500, b"{}", count),
        lambda count: read(400, b"{}", count),
        lambda count: read(200, b"\xff", count),
        late,
    ],
    ids=["a conflict", "an input that is refused", "an answer that is none", "none in time"],
)
def test_what_one_call_can_do_to_a_batch_asks_for_the_calls_one_by_one(
    answer_to: Callable[[int], BatchAnswer],
) -> None:
    """It fails OPA's whole query; alone, it fails only its own call."""
    assert answer_to(2) == BatchAnswer((), one_by_one=True)
    alone = answer_to(1)
    assert not alone.one_by_one
    assert [type(answer) for answer in alone.answers] == [Fault]


def test_when_opa_cannot_be_asked_every_call_has_a_fault() -> None:
    """Nothing is decided in its place."""
    fault = Fault("policy_unavailable", "timeout")
    assert unavailable("timeout", 2) == BatchAnswer((fault, fault))


@pytest.mark.parametrize(
    ("provenance", "revision"),
    [
        ({}, ""),
        ({"provenance": {}}, ""),
        ({"provenance": {"version": "1.22.2", "bundles": {"mcp": {"revision": "r1"}}}}, "r1"),
        ({"provenance": {"bundles": {"site": {"revision": "s"}, "mcp": {"revision": "m"}}}}, "m,s"),
        ({"provenance": {"bundles": {"mcp": {}}}}, ""),
    ],
)
def test_the_answer_names_the_revisions_that_gave_it(
    provenance: dict[str, Any], revision: str
) -> None:
    """In the order of the bundles' names, so that the same set reads the same."""
    found = read(200, body(ANSWER, **provenance), 1)
    assert found.revision == revision
    assert isinstance(found.answers[0], PolicyAnswer)


@given(st.binary(), st.integers(100, 599) | st.just(200), st.integers(0, 4))
def test_arbitrary_bytes_are_never_an_answer(data: bytes, status: int, count: int) -> None:
    """Nothing is raised, and as many faults come back as calls were asked."""
    found = read(status, data, count)
    assert found.one_by_one or len(found.answers) == count
    assert all(isinstance(one, Fault) for one in found.answers)


def is_exact(value: Any) -> bool:
    """Whether `value` is of the full shape with empty lists; written apart from the reader."""
    return (
        isinstance(value, dict)
        and value.keys() == ANSWER.keys()
        and value["effect"] == "allow"
        and isinstance(value["reason"], dict)
        and value["reason"].keys() == {"code", "message"}
        and all(isinstance(one, str) for one in (*value["reason"].values(), value["rule"]))
        and isinstance(value["hidden"], bool)
        and all(value[name] == [] for name in ("limits", "checks", "obligations", "shadow"))
    )


@given(
    JSON
    | st.builds(
        lambda changes, without: {k: v for k, v in answer(**changes).items() if k not in without},
        st.dictionaries(st.sampled_from([*ANSWER, "allow", "x"]), JSON, max_size=2),
        st.sets(st.sampled_from(list(ANSWER)), max_size=1),
    )
)
@example(ANSWER)
def test_nothing_but_the_full_shape_is_ever_an_allow(value: Any) -> None:
    """Whatever JSON stands where the answer should: it is exact, or it allows nothing."""
    found = read_one(body(value))
    allows = isinstance(found, PolicyAnswer) and found.effect is Effect.ALLOW
    assert allows == is_exact(value) or (allows and has_lists(value))


def has_lists(value: dict[str, Any]) -> bool:
    """Whether the answer carries well-formed obligations, which are any objects."""
    rest = {**value, "obligations": []}
    return is_exact(rest) and all(isinstance(one, dict) for one in value["obligations"])
