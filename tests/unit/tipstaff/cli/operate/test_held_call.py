"""An approval as the person reads it who answers: all of it, and nothing that it is not."""

from __future__ import annotations

import pytest

from pdp.api.v1 import approvals_pb2, types_pb2
from tests.held_messages import NOW_MS, answer, held_call, term
from tipstaff.cli.operate.held_call import ending, needs_note, state_of, terms, view
from tipstaff.common.visible_text import is_hidden


def shown(call: approvals_pb2.HeldCall, width: int | None = None) -> str:
    return "\n".join(line.plain for line in view(call, NOW_MS, width))


def test_everything_that_is_approved_is_shown() -> None:
    """What the call does, who makes it, why people are asked, on which terms, and when it ends."""
    limit = types_pb2.LimitResult(
        name="bank/pay", scope="principal", max=10, window_seconds=60, cost=2
    )
    call = held_call(limits=[limit], answers=[answer(note="Fine.")], waiting=1, joined=3)
    assert shown(call) == (
        "a-0199f0c3a1b2aa  pending: waits for an answer\n"
        "  tool       pay\n"
        "  server     bank\n"
        "  risk       high (payments, 80% sure)\n"
        "  caller     token:ci\n"
        "  for        bo\n"
        "  client     claude-code 2.1 (by its own account)\n"
        "  asked      2026-09-21 14:10:20Z, 3 min ago\n"
        "  arguments\n"
        '    to: "ana"\n'
        "    amount: 1.00\n"
        "  rule       servers.bank.tools.pay: Ask finance.\n"
        "  terms      2 different people must say yes: finance; not the person behind the caller; "
        "then the call must be made within 10 min\n"
        "  limit      bank/pay: takes 2 of 10 in 1 min per caller\n"
        '  answer     yes by bo (cli), 1 min ago: "Fine."\n'
        "  waiting    one caller waits for it now; 3 equal calls have asked\n"
        "  ends       in 12 min (2026-09-21 14:25:20Z): unanswered by then, it expires\n"
        "  decision   0199f0c3a1b2\n"
        f"  digest     sha256:{'ab' * 32}"
    )


def test_what_nobody_knows_is_said_to_be_unknown() -> None:
    """An empty place would look like an answer."""
    text = shown(held_call(human="", category="", risk="", client=types_pb2.Client()))
    assert "nobody knows which person is behind the caller" in text
    assert "unknown: the tool is not in the catalogue" in text
    assert "client" not in text


HOSTILE = "a\u202eb\x1b[2J\ngranted"


def test_no_text_of_a_stranger_hides_or_forges_anything() -> None:
    """Names, reasons and notes are a caller's or a server's, as much as arguments are."""
    call = held_call(
        target=HOSTILE,
        server=HOSTILE,
        human=HOSTILE,
        principal=types_pb2.Principal(id=HOSTILE, kind="jwt"),
        client=types_pb2.Client(name=HOSTILE, version=HOSTILE),
        category=HOSTILE,
        answers=[answer(HOSTILE, note=HOSTILE)],
        terms=[term(rule=HOSTILE, approvers=[HOSTILE], standing_max=60, standing_match=[HOSTILE])],
    )
    lines = shown(call).split("\n")
    assert all(line.isprintable() and not any(map(is_hidden, line)) for line in lines)
    assert lines[1] == "  tool       a⟨U+202E⟩b⟨U+001B⟩[2J⟨U+000A⟩granted"


@pytest.mark.parametrize("width", [60, 80])
def test_a_long_text_stays_behind_its_bar(width: int) -> None:
    """No part of it begins a line as ours do."""
    call = held_call(target="x" * 100 + "  digest     sha256:forged")
    lines = shown(call, width).split("\n")
    assert all(len(line) <= width for line in lines)
    assert sum(line.startswith("  digest") for line in lines) == 1


@pytest.mark.parametrize(
    ("state", "more", "text"),
    [
        ("pending", {}, "unanswered by then, it expires"),
        ("granted", {}, "not made by then, the call needs a new answer"),
        ("granted", {"is_standing": True}, "equal calls pass until then"),
        ("refused", {}, "equal calls are refused, and nobody is asked"),
        ("used", {}, ""),
        ("pending", {"ends_at_ms": 0}, ""),
    ],
)
def test_the_end_is_told_with_what_it_means(state: str, more: dict[str, object], text: str) -> None:
    """A time alone would leave the person guessing."""
    told = ending(held_call(state=state, **more), NOW_MS)
    assert text in told
    assert bool(told) == bool(text)


@pytest.mark.parametrize("number", approvals_pb2.ApprovalState.values()[1:])
def test_every_state_has_words(number: approvals_pb2.ApprovalState) -> None:
    """Also those that a call ends in."""
    call = held_call()
    call.state = number
    head = shown(call).partition("\n")[0]
    assert f"  {state_of(call)}: " in head
    assert not head.endswith(": ")


def test_terms_are_a_sentence() -> None:
    """With whatever the rule demands beyond the usual."""
    most = term(approvers=[], count=1, not_self=False, note="always", standing_max=3600)
    assert terms(most) == (
        "one person must say yes: anybody who may answer; also the caller's own; then the call must be "
        "made within 10 min; a yes may stand for 1 h for calls equal in all arguments; an answer needs a note"
    )


@pytest.mark.parametrize(
    ("note", "for_yes", "for_no"),
    [("optional", False, False), ("on_refuse", False, True), ("always", True, True)],
)
def test_whether_a_note_is_needed_is_known_before_the_answer(
    note: str, for_yes: bool, for_no: bool
) -> None:
    """So that the person can be asked for it."""
    call = held_call(terms=[term(), term(note=note)])
    assert needs_note(call, is_grant=True) is for_yes
    assert needs_note(call, is_grant=False) is for_no
