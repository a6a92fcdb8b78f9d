"""A held call as people read it: all of it, and nothing hidden."""

from __future__ import annotations

import json

import pytest

from pdp.api.v1 import approvals_pb2, types_pb2
from tipstaff.cli.operate import held_call

NOW = 1_800_000_000_000


def call(**more: object) -> approvals_pb2.HeldCall:
    plain: dict[str, object] = {
        "id": "a-1",
        "state": approvals_pb2.APPROVAL_STATE_PENDING,
        "digest": "sha256:00",
        "server": "bank",
        "method": "tools/call",
        "target": "pay",
        "arguments_json": b"{}",
        "principal": types_pb2.Principal(id="token:agent", kind="token"),
        "ends_at_ms": NOW + 90_000,
        "terms": [
            approvals_pb2.ApprovalTerms(
                rule="servers.bank.tools.pay",
                reason=types_pb2.Reason(message="Money moves."),
                approvers=["finance"],
                count=2,
                not_self=True,
                use_within=600,
                note="always",
                standing_max=3600,
            )
        ],
    }
    return approvals_pb2.HeldCall(**{**plain, **more})  # type: ignore[arg-type]


def text(held: approvals_pb2.HeldCall) -> str:
    return "\n".join(line.plain for line in held_call.lines(held, NOW))


def test_whoever_answers_reads_who_asks_what_for_and_on_which_terms() -> None:
    """And how long there is."""
    shown = text(call(human="ana", client=types_pb2.Client(name="bot", version="2")))
    for part in (
        "bank pay", "not in the catalogue", "pending, 90 s left", "token:agent, for ana (bot 2)",
        "nobody waits now", "servers.bank.tools.pay: Money moves.",
        "2 people of finance, not the person behind the caller", "used within 10 min",
        "with a note", "may stand for 60 min", "sha256:00",
    ):  # fmt: skip
        assert part in shown


def test_what_is_known_of_the_tool_and_what_was_answered_is_shown() -> None:
    """With what it will take from limits."""
    shown = text(
        call(
            category="Financial",
            risk="critical",
            waiting=1,
            method="prompts/get",
            limits=[types_pb2.LimitResult(name="bank/pay", scope="principal", max=5, window_seconds=60, cost=1)],
            answers=[
                approvals_pb2.ApprovalAnswer(by="bo", method="cli", is_grant=True, is_self=True),
                approvals_pb2.ApprovalAnswer(by="cy", method="oidc", note="no"),
            ],
        )
    )  # fmt: skip
    for part in (
        "Financial critical risk", "the caller waits", "prompts/get", "bank/pay",
        "yes by bo (cli), whose own agent it is", "no by cy (oidc): no",
    ):  # fmt: skip
        assert part in shown


def test_arguments_are_a_tree_that_is_never_cut() -> None:
    """A long text stands whole, line by line; numbers stand as they were written."""
    document = b'{"a": {"b": [1.50, "x", []], "c": {}}, "text": "one\\ntwo", "n": null, "t": true}'
    assert held_call.argument_lines(document) == [
        '"a":',
        '  "b":',
        "    - 1.50",
        '    - "x"',
        "    - []",
        '  "c": {}',
        '"text": text of 7 characters',
        "  | one",
        "  | two",
        '"n": null',
        '"t": true',
    ]
    long = "x" * 100_000
    assert long in "".join(held_call.argument_lines(json.dumps({"a": long}).encode()))
    assert held_call.argument_lines(b"") == ["{}"]


@pytest.mark.parametrize("hidden", ["\u202e", "\x1b[2J", "\u200b", "\U000e0041", "\ufeff", "\r"])
def test_no_character_hides_in_an_argument(hidden: str) -> None:
    """Neither in a name nor in a value, nor in what the caller says of itself."""
    document = json.dumps({f"a{hidden}": f"b{hidden}\nc{hidden}"}, ensure_ascii=False).encode()
    shown = text(
        call(arguments_json=document, client=types_pb2.Client(name=f"d{hidden}"), human=f"e{hidden}")
    )  # fmt: skip
    assert hidden not in shown


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-5, "0 s"), (1, "1 s"), (119_000, "119 s"), (120_001, "3 min"), (7_200_000, "2 h")],
)
def test_a_time_is_in_words(milliseconds: int, words: str) -> None:
    """Rounded up: nobody is told of less time than there is not."""
    assert held_call.time_left(milliseconds) == words


def test_a_row_has_what_a_list_needs() -> None:
    """The id to answer by comes first."""
    assert [cell.plain for cell in held_call.row(call(), NOW)] == [
        "a-1", "pending", "90 s", "bank pay not in the catalogue", "token:agent",
    ]  # fmt: skip
