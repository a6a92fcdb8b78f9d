"""What every page has around it."""

from __future__ import annotations

from tests.unit.tipstaff.console.views.test_approvals import ANA, VIEWER, text
from tipstaff.console.views.shell import PAGES, failure, shell


def test_every_page_leads_to_every_other_and_out() -> None:
    """And says where one is, and who."""
    body = shell(ANA, "Limits", "x", path="/limits")
    for path in PAGES:
        assert f'href="{path}"'.encode() in body
    assert b'<a href="/limits" aria-current="page">' in body
    assert b'action="/logout"' in body
    assert "vi, may look" in text(shell(VIEWER, "x"))


def test_a_failure_is_told_with_or_without_a_person() -> None:
    """As an alert."""
    for frame in (None, ANA):
        assert b'role="alert"' in failure(frame, "No", "Why <b>")
        assert b"<b>" not in failure(frame, "No", "Why <b>")
