"""What a record may show: all of a plain call, nothing of a secret, and where something is missing."""

from __future__ import annotations

from msgspec.structs import replace

from pdp.api.model import Client, Decision, Effect, Principal, Protocol, Reason, Session
from pdp.catalogue import UNKNOWN
from pdp.facts import policy_input
from pdp.shown import PolicyInput, what_may_be_shown
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
