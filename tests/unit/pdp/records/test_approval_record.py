"""A change of an approval on record: who answered, how that was proven, and no secret."""

from __future__ import annotations

import json
from typing import Any

from msgspec import structs

from pdp.approvals import answers, life
from pdp.approvals.life import SECOND, Caller, HeldCall
from pdp.approvals.terms import Standing, Terms
from pdp.records import approval_record
from tests.held import ANA, BO, START, held_call


def record(before: HeldCall | None, held: HeldCall) -> dict[str, Any]:
    line = approval_record.line(before, held, {"site": "x"})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    result: dict[str, Any] = json.loads(line)
    return result


def test_a_new_approval_names_the_call_and_the_rules() -> None:
    """And the decision that held it."""
    assert record(None, held_call()) == {
        "type": "tipstaff.approval", "approval_id": "a-1", "timestamp": "2027-01-15T08:00:00.000000Z",
        "labels": {"site": "x"}, "state": "pending", "digest": "sha256:1", "decision_id": "d-1",
        "server": "s", "method": "tools/call", "target": "t", "principal": "token:ana-agent",
        "rules": ["servers.s.tools.t0"],
    }  # fmt: skip


def test_an_answer_is_on_record_with_who_gave_it() -> None:
    """Also a yes that is not enough yet, and one of the caller's own person."""
    held = held_call(Terms(count=2, not_self=False))
    once = answers.grant(held, BO, "fine", START + 1)
    first = record(held, once)
    assert (first["state"], first["by"], first["proven_by"]) == ("pending", "bo", "console")
    assert (first["answer"], first["note"]) == ("yes", "fine")
    assert "self_confirmed" not in first
    second = record(once, answers.grant(once, ANA, "", START + 2))
    assert (second["state"], second["self_confirmed"]) == ("granted", True)
    refused = record(held, answers.refuse(held, BO, "no", START))
    assert (refused["state"], refused["answer"]) == ("refused", "no")


def test_a_standing_grant_says_until_when_and_how_often() -> None:
    """Every use is on record."""
    held = held_call(Terms(standing=Standing(60)))
    granted = answers.grant(held, BO, "", START, standing=60)
    assert record(held, granted)["standing_until"] == "2027-01-15T08:01:00.000000Z"
    used = life.claim(granted, "r1", START + SECOND)
    assert used is not None
    assert (record(granted, used)["used_by"], record(granted, used)["uses"]) == ("r1", 1)
    assert "by" not in record(granted, used)


def test_a_call_that_joins_is_not_worth_a_line() -> None:
    """Every other change is."""
    held = held_call()
    assert approval_record.is_worth_a_line(None, held)
    assert not approval_record.is_worth_a_line(held, life.join(held))
    assert approval_record.is_worth_a_line(held, answers.refuse(held, BO, "", START))


def test_no_secret_is_on_record() -> None:
    """Neither in a note nor in what the caller wrote."""
    secret = "sk-ant-api03-" + "a1B2c3D4" * 5
    held = held_call(caller=Caller("x", "token"))
    held = structs.replace(
        held, subject=structs.replace(held.subject, target=f"t {secret}"), used_by=secret
    )
    refused = answers.refuse(held, BO, f"leaked {secret}", START)
    assert secret not in json.dumps(record(held, refused))


def test_answers_that_a_service_left_unrecorded_are_on_record_with_the_next() -> None:
    """Each with who gave it and when; the last one with what it has changed."""
    held = held_call(Terms(count=2))
    once = structs.replace(answers.grant(held, BO, "fine", START + SECOND), unrecorded=1)
    cy = structs.replace(BO, id="cy")
    twice = structs.replace(answers.grant(once, cy, "", START + 2 * SECOND), unrecorded=2)
    lines = [json.loads(line) for line in approval_record.lines_of_answers(once, twice, {})]
    assert [(line["state"], line["by"], line["timestamp"][17:19]) for line in lines] == [
        ("pending", "bo", "01"), ("granted", "cy", "02"),
    ]  # fmt: skip
    (again,) = approval_record.lines_of_answers(once, once, {})
    assert json.loads(again)["by"] == "bo"
    (last,) = approval_record.lines_of_answers(
        structs.replace(once, unrecorded=0), structs.replace(twice, unrecorded=1), {}
    )
    assert json.loads(last)["by"] == "cy"
