"""The pages that lead in."""

from __future__ import annotations

from tests.unit.tipstaff.console.views.test_approvals import text
from tipstaff.console.views import login


def test_a_visit_from_elsewhere_goes_on_by_itself() -> None:
    """To the same page, once."""
    assert b'content="0;url=/a/a-1?again=1"' in login.again("/a/a-1")


def test_the_page_says_how_to_come_in() -> None:
    """By a provider where there is one."""
    assert "tipstaff console login" in text(login.login("You are not logged in."))
    assert "/login/openid" not in login.login().decode()
    assert "/login/openid" in login.login(has_provider=True).decode()
