"""The forms: what people cannot do by accident, and what they may not do at all."""

from __future__ import annotations

import re

from pdp.api.v1 import approvals_pb2
from tests.unit.tipstaff.console.views.test_approvals import ANA, NOTHING, VIEWER, call
from tipstaff.console.views import approvals


def test_a_grant_may_stand_as_long_as_the_rule_allows_and_never_for_what_is_critical() -> None:
    """Which wants the tool's name, typed."""
    body = approvals.approval(ANA, call(), NOTHING).decode()
    assert re.findall(r'<option value="(\d+)"', body) == ["0", "300", "3600", "7200"]
    critical = approvals.approval(
        ANA, call(risk="critical", category="Destructive"), NOTHING
    ).decode()
    assert "<option" not in critical
    assert 'name="confirm"' in critical


def test_who_may_look_has_no_form_to_answer() -> None:
    """Nor has anybody for what has ended."""
    assert b"/grant" not in approvals.approval(VIEWER, call(), NOTHING)
    ended = approvals.approval(ANA, call(state=approvals_pb2.APPROVAL_STATE_EXPIRED), NOTHING)
    assert b"/grant" not in ended
    granted = approvals.approval(ANA, call(state=approvals_pb2.APPROVAL_STATE_GRANTED), NOTHING)
    assert b"/withdraw" in granted
    assert b"/grant" not in granted
