"""The page of the rules: which decide, and why newer ones do not."""

from __future__ import annotations

from pdp.api.v1 import policy_pb2
from tests.unit.tipstaff.console.test_history import history, record
from tests.unit.tipstaff.console.views.test_approvals import ANA, text
from tipstaff.console.views.policy import policy


def test_rules_in_force_are_current() -> None:
    """With the revisions that have decided, the newest first."""
    status = policy_pb2.GetStatusResponse(revision="r2", age_seconds=1.4, ready=True)
    seen = history(record(1), record(2, revision="r2"))
    shown = text(policy(ANA, status, seen.revisions))
    for part in ("current", "r2", "1 s ago"):
        assert part in shown
    assert shown.rindex("r2") < shown.rindex("r1")


def test_rules_that_were_not_taken_say_why() -> None:
    """And that the older ones judge."""
    status = policy_pb2.GetStatusResponse(
        revision="r1", ready=True, stale=True, last_error="policy/x.rego:3: <b>bad</b>"
    )
    body = policy(ANA, status, [])
    assert "older than the files" in text(body)
    assert "policy/x.rego:3: <b>bad</b>" in text(body)
    assert b"<b>bad" not in body


def test_a_service_that_judges_nothing_says_so() -> None:
    """Loudly."""
    assert "every call is denied" in text(policy(ANA, policy_pb2.GetStatusResponse(), []))
