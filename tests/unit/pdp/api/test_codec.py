"""The codec: nouns survive the wire, and nothing that is no noun gets past it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from pdp.api import bounds, codec
from pdp.api.bounds import CodecError
from pdp.api.model import (
    Appearance,
    Approval,
    ApprovalState,
    Call,
    Client,
    Decision,
    Effect,
    LimitResult,
    Obligation,
    Phase,
    Principal,
    Protocol,
    Reason,
    Reference,
    Session,
    ShadowFinding,
)
from pdp.api.v1 import decision_pb2, types_pb2
from tests.calls import call

WHOLE = st.characters(exclude_categories=("Cs",))
INT64 = st.integers(-(2**63), 2**63 - 1)


def text(longest: int, shortest: int = 0) -> st.SearchStrategy[str]:
    return st.text(WHOLE, min_size=shortest, max_size=longest)


OBJECTS = st.dictionaries(text(5), st.integers() | text(5), max_size=3).map(
    lambda value: json.dumps(value).encode()
)
CALLS = st.builds(
    Call,
    request_id=text(bounds.MAX_NAME, 1),
    server=text(63, 1),
    method=text(bounds.MAX_NAME, 1),
    target=text(200),
    arguments=OBJECTS,
    principal=st.builds(Principal, text(256, 1), text(bounds.MAX_NAME, 1), OBJECTS),
    session=st.builds(Session, text(256, 1), text(bounds.MAX_NAME, 1)),
    client=st.builds(Client, text(bounds.MAX_NAME), text(bounds.MAX_NAME)),
    protocol=st.builds(Protocol, st.sampled_from(["legacy", "modern"]), text(bounds.MAX_NAME)),
    transport=text(32, 1),
    phase=st.sampled_from(Phase),
    reference=st.sampled_from(Reference),
    is_retry=st.booleans(),
    trace_id=text(bounds.MAX_NAME),
    approval_id=text(bounds.MAX_NAME),
    definition=st.just("")
    | st.binary(min_size=32, max_size=32).map(lambda one: f"sha256:{one.hex()}"),
)
REASONS = st.builds(Reason, text(20), text(20))
DECISIONS = st.builds(
    Decision,
    decision_id=text(20, 1),
    effect=st.sampled_from(Effect),
    reason=REASONS,
    rule=text(20),
    revision=text(20),
    hidden=st.booleans(),
    limits=st.lists(
        st.builds(LimitResult, text(9), text(9), INT64, INT64, INT64, INT64, st.booleans(), INT64),
        max_size=3,
    ).map(tuple),
    obligations=st.lists(st.builds(Obligation, text(9), OBJECTS), max_size=3).map(tuple),
    appearance=st.none() | st.builds(Appearance, st.sampled_from(Effect), REASONS, text(9)),
    shadow=st.lists(st.builds(ShadowFinding, st.sampled_from(Effect), REASONS, text(9))).map(tuple),
    retry_after_ms=INT64,
    approval=st.none()
    | st.builds(
        Approval,
        text(bounds.MAX_NAME, 1),
        st.sampled_from(ApprovalState),
        INT64,
        st.lists(text(9)).map(tuple),
        INT64,
    ),
)


def wire(**changes: Any) -> decision_pb2.DecideRequest:
    """A proper call on the wire, but for `changes`."""
    message = codec.call_to_wire(call())
    for field, value in changes.items():
        owner, _, name = field.rpartition("__")
        setattr(getattr(message, owner) if owner else message, name, value)
    return message


def refused_field(message: decision_pb2.DecideRequest) -> str:
    with pytest.raises(CodecError) as caught:
        codec.call_from_wire(message)
    assert str(caught.value) == f"{caught.value.field}: {caught.value.description}"
    return caught.value.field


@given(CALLS)
def test_every_call_survives_the_wire(one: Call) -> None:
    """What is judged is what was sent, whatever characters it holds."""
    sent = codec.call_to_wire(one).SerializeToString()
    assert codec.call_from_wire(decision_pb2.DecideRequest.FromString(sent)) == one


@given(DECISIONS)
def test_every_decision_survives_the_wire(decision: Decision) -> None:
    """What was decided is what is enforced."""
    sent = codec.decision_to_wire(decision).SerializeToString()
    assert codec.decision_from_wire(types_pb2.Decision.FromString(sent)) == decision


@given(st.binary())
def test_arbitrary_bytes_are_a_noun_or_an_error_of_the_codec(data: bytes) -> None:
    """Bytes that happen to be protobuf raise nothing else."""
    for kind, read in (
        (decision_pb2.DecideRequest, codec.call_from_wire),
        (types_pb2.Decision, codec.decision_from_wire),
    ):
        try:
            read(kind.FromString(data))
        except (CodecError, DecodeError):
            continue


@given(CALLS, st.data())
def test_a_damaged_call_is_a_noun_or_an_error_of_the_codec(one: Call, data: st.DataObject) -> None:
    """One wrong byte in a proper call raises nothing else."""
    sent = bytearray(codec.call_to_wire(one).SerializeToString())
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        codec.call_from_wire(decision_pb2.DecideRequest.FromString(bytes(sent)))
    except (CodecError, DecodeError):
        return


@pytest.mark.parametrize(
    ("field", "longest", "may_be_empty"),
    [
        ("request_id", 128, False),
        ("server", 63, False),
        ("method", 128, False),
        ("target", 8192, True),
        ("transport", 32, True),
        ("trace_id", 128, True),
        ("principal__id", 256, False),
        ("principal__kind", 128, False),
        ("session__id", 256, True),
        ("session__kind", 128, False),
    ],
)
def test_texts_are_bounded(field: str, longest: int, may_be_empty: bool) -> None:
    """The longest text passes, one character more does not; bounds count characters."""
    name = field.replace("__", ".")
    codec.call_from_wire(wire(**{field: "é" * longest}))
    assert refused_field(wire(**{field: "é" * (longest + 1)})) == name
    if may_be_empty:
        codec.call_from_wire(wire(**{field: ""}))
    else:
        assert refused_field(wire(**{field: ""})) == name


@pytest.mark.parametrize("field", ["client__name", "client__version", "protocol__version"])
def test_what_a_client_says_of_itself_is_cut_short(field: str) -> None:
    """It decides nothing, so that it is no reason to refuse the call."""
    owner, _, name = field.partition("__")
    read = codec.call_from_wire(wire(**{field: "x" * 999}))
    assert getattr(getattr(read, owner), name) == "x" * 128


@pytest.mark.parametrize(
    "data",
    [b"{", b'{"a":1,"a":2}', b"NaN", b"1e400", b"\xff", b"{} {}", b'"\\ud800"', b"[" * 99, b"]},{"],
)
@pytest.mark.parametrize("field", ["arguments_json", "principal__claims_json"])
def test_json_that_could_be_read_in_two_ways_is_refused(field: str, data: bytes) -> None:
    """It is spliced into the policy query, so that it must be one whole value."""
    assert refused_field(wire(**{field: data})) == field.replace("__", ".")


@pytest.mark.parametrize("field", ["arguments_json", "principal__claims_json"])
@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"x"', b"true"])
def test_arguments_and_claims_are_objects(field: str, data: bytes) -> None:
    """What is none is refused; white space before the object is not."""
    codec.call_from_wire(wire(**{field: b' \n{"sub":"a"}'}))
    assert refused_field(wire(**{field: data})) == field.replace("__", ".")


@pytest.mark.parametrize(
    "digest",
    ["x", "sha256:", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 64 + "\n"],
)
def test_a_digest_is_one_or_is_not_there(digest: str) -> None:
    """It goes into the records as it is."""
    assert codec.call_from_wire(wire(definition_digest="")).definition == ""
    assert refused_field(wire(definition_digest=digest)) == "definition_digest"


def test_what_is_left_out_has_a_meaning() -> None:
    """No arguments are an empty object, no session is the principal's own."""
    message = decision_pb2.DecideRequest(
        request_id="r",
        server="files",
        method="tools/call",
        principal=types_pb2.Principal(id="alice", kind="jwt"),
    )
    assert codec.call_from_wire(message) == Call(
        request_id="r",
        server="files",
        method="tools/call",
        target="",
        arguments=b"{}",
        principal=Principal("alice", "jwt", b"{}"),
        session=Session("alice", "principal"),
        client=Client(),
        protocol=Protocol("modern"),
        transport="grpc",
    )


def test_unknown_phases_references_and_eras_are_refused() -> None:
    """Rules tell them apart, so that none may be invented."""
    assert refused_field(wire(phase=7)) == "phase"
    assert refused_field(wire(reference=3)) == "reference"
    assert refused_field(wire(protocol__era="Legacy")) == "protocol.era"


@pytest.mark.parametrize("effect", [0, 7, -1])
def test_a_decision_without_a_known_effect_is_no_decision(effect: int) -> None:
    """The absence of an effect never becomes an allow, nor does one from the future."""
    message = types_pb2.Decision(decision_id="d", effect=effect)  # type: ignore[arg-type]
    with pytest.raises(CodecError, match="effect: unknown value"):
        codec.decision_from_wire(message)


def test_a_finding_without_a_known_effect_is_no_decision() -> None:
    """A shadow rule is held to the same words."""
    message = types_pb2.Decision(
        decision_id="d", effect=types_pb2.EFFECT_DENY, shadow=[types_pb2.ShadowFinding()]
    )
    with pytest.raises(CodecError, match="effect"):
        codec.decision_from_wire(message)


def test_a_decision_without_an_identifier_is_no_decision() -> None:
    """An empty message has no effect either, but is refused before that is asked."""
    with pytest.raises(CodecError, match="decision_id: missing"):
        codec.decision_from_wire(types_pb2.Decision())


def test_an_obligation_without_properties_has_none() -> None:
    """No bytes mean an empty object, as with arguments."""
    message = types_pb2.Decision(
        decision_id="d",
        effect=types_pb2.EFFECT_ALLOW,
        obligations=[types_pb2.Obligation(type="redact")],
    )
    assert codec.decision_from_wire(message).obligations == (Obligation("redact", b"{}"),)


def test_the_argument_bytes_are_kept_as_they_came() -> None:
    """Spacing, order and spelling too: they are what reaches the server."""
    data = b'{ "b":1.0,\n"a":"\\u0061" }'
    assert codec.call_from_wire(wire(arguments_json=data)).arguments == data
