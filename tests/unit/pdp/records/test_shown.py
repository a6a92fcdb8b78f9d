"""What a record may show: all of a plain call, nothing of a secret, and where something is missing."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pdp.api.model import Client, Decision, Effect, Principal, Protocol, Reason, Session
from pdp.policy.input import policy_input
from pdp.records.shown import PolicyInput, what_may_be_shown
from pdp.tools.catalogue import UNKNOWN
from tests.calls import call

DECISION = Decision(decision_id="d", effect=Effect.DENY, reason=Reason("c", "No."))


def test_a_plain_call_is_shown_as_it_is() -> None:
    """The very same, without a copy."""
    one = call(arguments=b'{"path":"/x"}')
    shown = what_may_be_shown(
        one, DECISION, "", PolicyInput(policy_input(one, UNKNOWN, 1), UNKNOWN)
    )
    assert shown.call is one
    assert shown.decision is DECISION
    assert shown.arguments.data == one.arguments
    assert shown.is_whole


def test_every_text_of_a_caller_is_masked_and_pointed_to() -> None:
    """Each at its place; what the service itself writes is not."""
    secret = "token=abc"
    one = replace(
        call(target=secret, method=secret, request_id=secret, session=secret),
        trace_id=secret,
        client=Client(secret, secret),
        protocol=Protocol("modern", secret),
        session=Session(secret, "cooperative"),
    )
    shown = what_may_be_shown(one, DECISION, secret, None)
    assert "abc" not in repr(shown)
    assert sorted(shown.masked) == [
        "/client/name",
        "/client/version",
        "/method",
        "/protocol/version",
        "/request_id",
        "/session/id",
        "/target",
        "/trace_id",
    ]
    assert not shown.is_whole


def test_claims_are_not_shown_when_no_policy_was_asked() -> None:
    """Nobody has read them."""
    one = replace(call(), principal=Principal("alice", "jwt", b'{"email":"a@x.org"}'))
    assert what_may_be_shown(one, DECISION, "", None).claims.data == b"{}"


@pytest.mark.parametrize(
    "identity", ["jwt:alice", "jwt-client:ci", "token:ci", "mtls:CN=a.example", "jwt:auth0|64:a=b"]
)
def test_who_called_is_no_secret(identity: str) -> None:
    """Neither as the caller nor as the session that the caller itself is, whatever the name reads like."""
    one = replace(call(session=identity, principal=identity), trace_id="token=abc")
    shown = what_may_be_shown(one, DECISION, "", None)
    assert (shown.call.principal.id, shown.call.session.id) == (identity, identity)
    assert shown.masked == ("/trace_id",)


def test_a_credential_in_the_name_of_a_caller_is_masked_wherever_it_stands() -> None:
    """An issuer may write anything into a subject."""
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    one = call(session=f"jwt:{token}", principal=f"jwt:{token}")
    shown = what_may_be_shown(one, DECISION, "", None)
    assert (shown.call.principal.id, shown.call.session.id) == ("jwt:[masked]", "jwt:[masked]")
    assert shown.masked == ("/principal/id", "/session/id")
    assert not shown.is_whole


def test_a_key_of_the_clients_own_is_masked_though_it_begins_like_a_name() -> None:
    """Only who called is known to be a name."""
    shown = what_may_be_shown(call(session="jwt:alice", principal="jwt:bob"), DECISION, "", None)
    assert shown.call.session.id == "jwt:[masked]"
