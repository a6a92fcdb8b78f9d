"""What a webhook says, and that a receiver can tell it is ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from msgspec import structs

from pdp.api.model import ApprovalState as State
from pdp.approvals.webhook_message import SHORTEST_KEY, headers, key_of, message
from pdp.errors import ConfigError
from tests.held import ANA, START, held_call

KEY = b"k" * 32


def test_a_message_calls_a_person_and_tells_nothing_to_answer_by() -> None:
    """Neither arguments nor notes nor the digest that an answer needs."""
    sent = message(held_call(risk="high"), "https://gate.example/")
    assert json.loads(sent.body) == {
        "type": "approval.pending",
        "id": "a-1",
        "server": "s",
        "tool": "t",
        "principal": "token:ana-agent",
        "risk": "high",
        "rules": ["servers.s.tools.t0"],
        "ends_at": "2027-01-15T08:15:00.000000Z",
        "link": "https://gate.example/a/a-1",
    }


def test_without_a_place_to_answer_there_is_no_link() -> None:
    """And without an end, no end."""
    plain = json.loads(message(held_call(state=State.USED, ends=0), "").body)
    assert "link" not in plain
    assert (plain["type"], plain["ends_at"]) == ("approval.used", "")


def test_the_same_state_of_an_approval_is_the_same_message() -> None:
    """Whoever sends it, and however often."""
    held = held_call()
    again = structs.replace(held, joined=3, version=2)
    assert message(held, "").id == message(again, "").id == "a-1.pending"
    assert message(structs.replace(held, state=State.REFUSED), "").id == "a-1.refused"


def test_secrets_in_names_are_masked() -> None:
    """A caller may write anything into a name."""
    held = held_call()
    token = "ghp_" + "a1B2" * 9
    subject = structs.replace(
        held.subject, target=f"t {token}", arguments='{"n": "argument-canary"}'
    )
    body = message(structs.replace(held, subject=subject), "").body
    assert token.encode() not in body
    assert b"argument-canary" not in body
    assert ANA.id == "ana"
    assert START


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """Over the identifier, the time and the body."""
    sent = message(held_call(), "")
    lines = headers(sent, KEY, 1_790_000_000)
    signed = b"a-1.pending.1790000000." + sent.body
    signature = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert lines == {
        "content-type": "application/json",
        "webhook-id": "a-1.pending",
        "webhook-timestamp": "1790000000",
        "webhook-signature": f"v1,{signature}",
    }


def test_the_example_of_the_standard_is_signed_as_it_says() -> None:
    """The test vector of its reference implementations."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    sent = structs.replace(
        message(held_call(), ""), id="msg_p5jXN8AQM9LWM0D4loKWxJek", body=b'{"test": 2432232314}'
    )
    assert headers(sent, key, 1614265330)["webhook-signature"] == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_key_is_base64_or_a_text() -> None:
    """The prefix tells."""
    assert key_of("whsec_" + base64.b64encode(KEY).decode()) == KEY
    assert key_of("a long enough text") == b"a long enough text"


@pytest.mark.parametrize(
    "secret", ["short", "", "whsec_", "whsec_c2hvcnQ=", "x" * (SHORTEST_KEY - 1)]
)
def test_a_key_that_can_be_tried_out_is_refused(secret: str) -> None:
    """Its length is told, and nothing of it."""
    with pytest.raises(ConfigError, match="bytes at least") as caught:
        key_of(secret)
    assert len(secret) < 7 or secret not in str(caught.value)


def test_what_is_not_base64_is_refused_without_being_shown() -> None:
    """It may be the secret with a slip of the keyboard."""
    with pytest.raises(ConfigError, match="not base64") as caught:
        key_of("whsec_canary-canary-canary!")
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None
