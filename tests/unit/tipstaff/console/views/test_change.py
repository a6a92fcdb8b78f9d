"""The page of a changed definition: what is read before it is accepted."""

from __future__ import annotations

from tests.unit.tipstaff.console.views.test_approvals import ANA, VIEWER, text
from tipstaff.console.definitions import Change
from tipstaff.console.views.change import change

CHANGE = Change(
    "bank", "pay", "sha256:1", "@@ a\n-old\n+<script>alert(1)</script>", "low Read", "high Write"
)


def test_the_form_carries_the_digest_of_what_is_shown() -> None:
    """So that another definition is not accepted by it."""
    body = change(ANA, CHANGE).decode()
    assert 'name="digest" value="sha256:1"' in body
    assert 'class="line line-old"' in body
    assert "<script>alert" not in body
    for part in ("low Read", "high Write"):
        assert part in text(body.encode())


def test_a_definition_with_signs_wants_the_tool_s_name() -> None:
    """And a viewer has no form at all."""
    signed = Change("bank", "pay", "sha256:1", "", "", "", signs=("tells the model what to do",))
    body = change(ANA, signed, "Type it.")
    assert b'name="confirm"' in body
    assert "tells the model what to do" in text(body)
    assert b'name="confirm"' not in change(ANA, CHANGE)
    assert b"/servers/accept" not in change(VIEWER, signed)
