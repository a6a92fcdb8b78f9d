"""The page of what people did: here, and answers from elsewhere."""

from __future__ import annotations

from tests.unit.tipstaff.console.views.test_approvals import ANA, text
from tipstaff.console.action import Action
from tipstaff.console.history import ApprovalChange
from tipstaff.console.views.audit import audit


def test_actions_are_shown_with_their_outcome() -> None:
    """Those that were not taken with the reason."""
    actions = [
        Action("t2", "grant", "ana", "a-0123456789", "fine", "too late"),
        Action("t1", "login", refused="unknown", times=7),
        Action("t0", "reset", "ana", "bank/pay"),
    ]
    body = audit(ANA, actions, [])
    shown = text(body)
    for part in ("too late", "fine", "(7 times)", "nobody knows", "done", "bank/pay"):
        assert part in shown
    assert b'href="/a/a-0123456789"' in body


def test_answers_from_elsewhere_are_told_apart() -> None:
    """Those given here stand above already."""
    here = ApprovalChange("a-1", "t", "granted", by="ana", proven_by="console", answer="yes")
    there = ApprovalChange("a-2", "t", "refused", by="bo", proven_by="cli", answer="no", note="No.")
    shown = text(audit(ANA, [], [here, there]))
    assert "Nobody has done anything here yet." in shown
    assert "bo (cli)" in shown
    assert "ana (console)" not in shown


def test_no_text_of_a_person_is_markup() -> None:
    """Notes are theirs."""
    attack = "<script>alert(1)</script>"
    body = audit(
        ANA,
        [Action(attack, attack, attack, attack, attack, attack)],
        [ApprovalChange(attack, attack, attack, by=attack, proven_by=attack, note=attack)],
    )
    assert b"<script>alert" not in body
