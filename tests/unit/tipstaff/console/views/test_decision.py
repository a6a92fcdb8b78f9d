"""One decision's page: everything that the record says, and nothing as markup."""

from __future__ import annotations

from typing import Any

from tests.unit.tipstaff.console.test_history import history, record
from tests.unit.tipstaff.console.views.test_approvals import ANA, text
from tipstaff.console.history import Decision
from tipstaff.console.views.decision import decision, forgotten

ATTACK = "<script>alert(1)</script>\u202e"


def made(**more: Any) -> Decision:
    found = history(record(1, **more)).get("d000000001")
    assert found is not None
    return found


def page(**more: Any) -> bytes:
    return decision(ANA, made(**more), [], [])


def test_the_story_is_whole() -> None:
    """Outcome, call, arguments, limits, watched rules, time."""
    limit = {"name": "bank/pay", "scope": "session", "max": 5, "window": 60, "passed": False,
             "remaining": 0, "shadow": True}  # fmt: skip
    shown = text(
        page(
            effect="hold", reason={"code": "approval_required", "message": "Money moves."},
            approval={"id": "a-0123456789", "state": "pending"}, limits=[limit],
            shadow=[{"effect": "deny", "rule": "strict", "reason": {"code": "c", "message": "m"}}],
            timings={"policy_us": 1500, "total_us": 2000}, arguments={"amount": 1.50},
            masked=["/arguments/pin"], fault="slow", obligations=[{"kind": "log"}],
            tool={"category": "Financial", "risk": "high", "marks": ["moves_money"], "changed": True},
            client={"name": "cc", "version": "1"}, transport="http", request_id="r", trace_id="t",
        )
    )  # fmt: skip
    for part in (
        "Money moves.", "approval_required", "a-0123456789", "pending", "exhausted", "shadow",
        "5 of 5 in 60 s", "strict", "2.00 ms in all, 1.50 ms", "amount", "/arguments/pin", "slow",
        "kind: log", "high Financial", "moves_money", "changed since", "name: cc, version: 1", "http",
    ):  # fmt: skip
        assert part in shown


def test_what_is_not_there_is_said() -> None:
    """In words."""
    shown = text(page(reason={"code": "", "message": ""}, rule="", revision="", session={}))
    for part in (
        "Nothing was said about it.", "not in the catalogue", "No limit was asked.",
        "None has anything to say.", "No time was taken.", "Before: nothing", "After: nothing",
    ):  # fmt: skip
        assert part in shown


def test_numbers_of_arguments_are_as_they_were_written() -> None:
    """A large one is not rounded."""
    raw = b'{"type":"tipstaff.decision","decision_id":"d000000001","timestamp":"t","server":"s",'
    raw += b'"method":"m","target":"t","effect":"deny","reason":{},"principal":{},'
    raw += b'"arguments":{"n":12345678901234567890.10}}\n'
    seen = history()
    seen.add(raw)
    found = seen.get("d000000001")
    assert found is not None
    assert "12345678901234567890.10" in text(decision(ANA, found, [], []))


def test_no_text_of_a_record_is_markup_or_hidden() -> None:
    """Wherever it stands."""
    attack = {"id": ATTACK, "kind": ATTACK}
    body = page(
        server=ATTACK, method=ATTACK, target=ATTACK, reason={"code": ATTACK, "message": ATTACK},
        principal=attack, session=attack, client={ATTACK: ATTACK}, revision=ATTACK, rule=ATTACK,
        transport=ATTACK, request_id=ATTACK, trace_id=ATTACK, fault=ATTACK,
        tool={"category": ATTACK, "risk": ATTACK, "marks": [ATTACK]}, masked=[ATTACK],
        approval={"id": ATTACK, "state": ATTACK}, obligations=[{ATTACK: ATTACK}],
        limits=[{"name": ATTACK, "scope": ATTACK, "max": 1, "window": 1}],
        shadow=[{"effect": ATTACK, "rule": ATTACK, "reason": attack}],
        arguments={ATTACK: [ATTACK]},
    ).decode()  # fmt: skip
    assert "<script>alert" not in body
    assert "\u202e" not in body


def test_a_forgotten_decision_is_in_the_journal() -> None:
    """And the page says how to find it."""
    assert "grep d000000001" in text(forgotten(ANA, "d000000001"))
