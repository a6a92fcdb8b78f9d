"""A record gives back the question that was judged, byte for byte, or says why it cannot."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from pdp.api.model import (
    Call,
    Client,
    Decision,
    Direction,
    Effect,
    Phase,
    Principal,
    Protocol,
    Reason,
    Session,
)
from pdp.errors import RecordError
from pdp.policy.input import policy_input
from pdp.records import approval_record
from pdp.records.record import Timings, line
from pdp.records.replay import replay
from pdp.records.shown import PolicyInput
from pdp.rules.claims import ClaimsRead, kept
from pdp.tools.catalogue import UNKNOWN, Facts, Pin, Tool
from tests.calls import call
from tests.held import held_call
from tipstaff.common.masking import MASK

NOW = 1_790_000_000_123_456_789
DECISION = Decision(decision_id="d", effect=Effect.ALLOW, reason=Reason("c", "m"), revision="v1")
WHOLE = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
# Texts that look like secrets, like masks, and like what a record says of what it left out.
ODD = st.sampled_from(
    ["password", "token=abc", "eyJhbGciOiJub25lIn0", MASK, "[omitted]", "a/b~c", "pin", "session"]
)
TEXT = WHOLE | ODD
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A JSON object as bytes, in any of the ways to write one."""
    value = draw(OBJECTS)
    indent = draw(st.sampled_from([None, 0, 2]))
    text = json.dumps(value, indent=indent, ensure_ascii=draw(st.booleans()))
    return (
        draw(st.sampled_from([b"", b" ", b"\r\n"]))
        + text.encode()
        + draw(st.sampled_from([b"", b"\n", b" \t"]))
    )


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Any call."""
    return Call(
        request_id=draw(TEXT),
        server=draw(WHOLE),
        method=draw(TEXT),
        target=draw(TEXT),
        arguments=draw(documents()),
        principal=Principal(draw(WHOLE), draw(WHOLE), draw(documents())),
        session=Session(draw(TEXT), draw(WHOLE)),
        client=Client(draw(TEXT), draw(TEXT)),
        protocol=Protocol(draw(st.sampled_from(["legacy", "modern"])), draw(TEXT)),
        transport=draw(WHOLE),
        phase=draw(st.sampled_from(list(Phase))),
        direction=draw(st.sampled_from(list(Direction))),
        is_retry=draw(st.booleans()),
        trace_id=draw(TEXT),
    )


@st.composite
def tools(draw: st.DrawFn) -> Tool:
    """Any tool, known or not."""
    facts = Facts(
        draw(st.sampled_from(["", "Read", "Write"])),
        draw(st.sampled_from(["", "low", "high"])),
        draw(st.floats(0, 1)),
        tuple(draw(st.lists(WHOLE, max_size=2))),
        draw(st.booleans()),
        draw(st.booleans()),
    )
    annotations = Raw(msgspec.json.encode(draw(OBJECTS)))
    pin = draw(st.none() | st.just(Pin("sha256:" + "a" * 64)))
    return draw(st.sampled_from([UNKNOWN, Tool(facts, annotations, pin=pin)]))


def recorded(one: Call, tool: Tool = UNKNOWN, claims_read: ClaimsRead = None) -> bytes:
    question = PolicyInput(policy_input(one, tool, NOW), tool, claims_read)
    return line(one, DECISION, now_ns=NOW, labels={}, timings=Timings(1, 2), question=question)


def as_read(one: Call, claims_read: ClaimsRead) -> Call:
    """The call as rules can see it, which read no claims but these."""
    claims, _ = kept(one.principal.claims, claims_read)
    return replace(one, principal=replace(one.principal, claims=claims))


@given(calls(), tools(), st.none() | st.frozensets(TEXT, max_size=3))
def test_a_question_comes_back_as_it_was_or_is_said_not_to(
    one: Call, tool: Tool, claims_read: ClaimsRead
) -> None:
    """Byte for byte, with its digest; when something was masked, all but that."""
    data = recorded(one, tool, claims_read)
    found = replay(data)
    judged = policy_input(as_read(one, claims_read), tool, NOW)
    assert found.is_exact is ("input_digest" in json.loads(data)) is not found.obstacle
    if found.is_exact:
        assert found.document == judged
    else:
        members = {pointer.split("/")[1] for pointer in found.masked}
        assert without(json.loads(found.document), members) == without(json.loads(judged), members)


def without(question: dict[str, Any], members: set[str]) -> dict[str, Any]:
    return {name: value for name, value in question.items() if name not in members}


def test_a_question_without_some_of_its_parts_says_which() -> None:
    """In words that an operator can read."""
    one = call(arguments=b'{"password":"hunter2","user":"u"}')
    found = replay(recorded(one))
    assert found.obstacle == "cannot be replayed exactly: /arguments/password was masked"
    assert json.loads(found.document)["arguments"] == {"password": MASK, "user": "u"}
    large = replay(recorded(call(arguments=b'{"a":"' + b"x" * 20_000 + b'"}')))
    assert large.obstacle == "cannot be replayed exactly: /arguments was too large to be kept"


def test_claims_that_no_rule_reads_are_told_but_are_no_obstacle() -> None:
    """To the rules of the revision they make no difference; to others they may."""
    one = replace(call(), principal=Principal("a", "jwt", b'{"roles":["x"],"email":"e"}'))
    found = replay(recorded(one, claims_read=frozenset({"roles"})))
    assert found.is_exact
    assert (found.unread, found.revision) == (("/principal/claims",), "v1")
    assert json.loads(found.document)["principal"]["claims"] == {"roles": ["x"]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a record"),
        (b"[" * 100_000, "not a record"),
        (b'{"type":"tipstaff.decision"}\n', "not a record"),
        (b'{"type":"other"}', "not a record"),
        (b'\xff{"type":"tipstaff.decision"}', "not a record"),
        (
            line(call(), DECISION, now_ns=NOW, labels={}, timings=Timings(0, 0)),
            "no policy was asked",
        ),
        (recorded(call(target="read")).replace(b'"read"', b'"write"'), "another digest"),
        (recorded(call()).replace(b'"input_digest":"sha256:', b'"x":"'), "another digest"),
    ],
    ids=["nothing", "deep", "empty", "other", "no text", "refusal", "altered", "no digest"],
)
def test_what_is_no_record_of_a_judged_call_is_refused(data: bytes, why: str) -> None:
    """Rather than asked about as something else."""
    with pytest.raises(RecordError, match=why):
        replay(data)


def test_a_record_of_an_approval_is_no_question_and_is_refused() -> None:
    """The two kinds of lines stand in one journal."""
    changed = approval_record.line(None, held_call(), {})
    with pytest.raises(RecordError, match="not a record of a decision"):
        replay(changed)
