"""The pages: what people see before they answer, and what they cannot do by accident."""

from __future__ import annotations

import html
import re

import pytest

from pdp.api.v1 import approvals_pb2, types_pb2
from tipstaff.console.sessions import Person
from tipstaff.console.views import approvals
from tipstaff.console.views.forms import Frame

NOTHING = approvals.Context()
NOW = 1_800_000_000_000
ANA = Frame(Person("ana", may_answer=True), "form-token", NOW)
VIEWER = Frame(Person("vi", may_answer=False), "form-token", NOW)


def call(**more: object) -> approvals_pb2.HeldCall:
    terms = approvals_pb2.ApprovalTerms(
        rule="servers.bank.tools.pay", reason=types_pb2.Reason(message="Money moves."),
        approvers=["finance"], count=2, not_self=True, standing_max=7200,
    )  # fmt: skip
    plain: dict[str, object] = {
        "id": "a-0123456789", "state": approvals_pb2.APPROVAL_STATE_PENDING, "digest": "sha256:00",
        "server": "bank", "method": "tools/call", "target": "pay", "arguments_json": b'{"amount": 5}',
        "principal": types_pb2.Principal(id="token:agent", kind="token"), "terms": [terms],
        "ends_at_ms": NOW + 90_000, "created_at_ms": NOW, "waiting": 1, "joined": 2,
    }  # fmt: skip
    return approvals_pb2.HeldCall(**{**plain, **more})  # type: ignore[arg-type]


def text(body: bytes) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body.decode())).split())


def test_the_inbox_has_what_waits_and_what_was() -> None:
    """With a way to each."""
    used = call(id="a-99", state=approvals_pb2.APPROVAL_STATE_USED, ends_at_ms=0)
    body = approvals.inbox(ANA, [call(), used], 1)
    shown = text(body)
    for part in (
        "1 waiting",
        "bank pay",
        "caller waits",
        "token:agent",
        "90 s",
        "used",
        "ana, may answer",
    ):
        assert part in shown
    assert b'href="/a/a-0123456789"' in body


def test_an_empty_inbox_says_how_calls_come_there() -> None:
    """Rather than nothing."""
    shown = text(approvals.inbox(ANA, [], 0))
    assert "require_approval" in shown
    assert "Nothing has ended yet." in shown


def test_a_call_is_shown_whole_with_refuse_before_grant() -> None:
    """The form carries the digest of what is shown, and the session's token."""
    body = approvals.approval(ANA, call(), NOTHING).decode()
    shown = text(body.encode())
    for part in (
        "waits for an answer, for another 90 s", "amount", "5", "Money moves.", "2 people of finance",
        "not the person behind the caller", "nobody knows", "not in the catalogue", "sha256:00",
    ):  # fmt: skip
        assert part in shown
    assert body.index("/refuse") < body.index("/grant")
    assert body.count('value="sha256:00"') == body.count('name="digest"') == 2
    assert body.count('value="form-token"') == 3
    assert "autofocus" not in body
    assert re.search(r'<button[^>]*class="grant"[^>]*data-slow', body)


def test_an_answer_that_was_not_taken_loses_no_note() -> None:
    """And says why."""
    shown = approvals.approval(
        ANA, call(), NOTHING, "It is another call now.", 'my "note"'
    ).decode()
    assert "It is another call now." in shown
    assert "my &quot;note&quot;</textarea>" in shown


def test_answers_limits_and_ends_are_told() -> None:
    """With who gave them."""
    yes = approvals_pb2.ApprovalAnswer(
        by="bo", method="cli", is_grant=True, is_self=True, note="ok"
    )
    limit = types_pb2.LimitResult(name="bank/pay", max=5, window_seconds=60, cost=1)
    shown = text(approvals.approval(ANA, call(answers=[yes], limits=[limit]), NOTHING))
    assert "yes by bo (cli)" in shown
    assert "whose own agent it is: ok" in shown
    assert "bank/pay: 1 of 5 in 60 s" in shown


@pytest.mark.parametrize(
    "attack", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202e"]
)
def test_no_text_of_a_caller_is_markup_or_hidden(attack: str) -> None:
    """Wherever it stands."""
    held = call(
        target=attack, human=attack, server=attack, method=attack,
        client=types_pb2.Client(name=attack), principal=types_pb2.Principal(id=attack),
        arguments_json=b'{"a": "' + attack.replace('"', "'").encode() + b'"}',
    )  # fmt: skip
    for body in (approvals.approval(ANA, held, NOTHING, attack), approvals.inbox(ANA, [held], 1)):
        assert "<script>alert" not in body.decode()
        assert "<img" not in body.decode()
        assert "\u202e" not in body.decode()


def test_a_page_can_find_out_that_it_is_old() -> None:
    """By a word that differs when people would see something else."""

    def word(held: object) -> str:
        match = re.search(r'data-live="([^"]+)"', approvals.inbox(ANA, [held], 1).decode())
        assert match
        return match[1]

    first = word(call())
    assert word(call()) == first
    assert word(call(waiting=0)) != first
    assert word(call(state=approvals_pb2.APPROVAL_STATE_GRANTED)) != first
    assert word(call(id="a-0123456780")) != first
