"""The page of decisions: what was not allowed first, bounded, with the selection in its form."""

from __future__ import annotations

from tests.unit.tipstaff.console.test_history import NOW, history, record
from tests.unit.tipstaff.console.views.test_approvals import ANA, text
from tipstaff.console.history import History, Selection
from tipstaff.console.views.decisions import MOST_ROWS, decisions, parted


def test_what_was_not_allowed_comes_first() -> None:
    """Denied and held together, the newest first."""
    seen = history(record(1, effect="deny"), record(2), record(3, effect="hold"))
    closed, allowed = parted(seen, Selection())
    assert [each.decision_id for each in closed.decisions] == ["d000000003", "d000000001"]
    assert [each.decision_id for each in allowed.decisions] == ["d000000002"]


def test_more_than_fit_are_counted() -> None:
    """And not shown."""
    closed, _ = parted(history(*(record(n, effect="deny") for n in range(70))), Selection())
    assert (len(closed.decisions), closed.more) == (MOST_ROWS, 70 - MOST_ROWS)
    body = decisions(ANA, history(*map(record, range(70))), Selection(), NOW)
    assert "And 20 more" in text(body)


def test_the_form_holds_the_selection() -> None:
    """And is open then."""
    selection = Selection(effect="deny", tool='pay"><b>')
    body = decisions(ANA, history(record(1)), selection, NOW).decode()
    assert 'value="pay&quot;&gt;&lt;b&gt;"' in body
    assert '<option value="deny" selected>' in body
    assert "<details open>" in body
    assert "<details open>" not in decisions(ANA, history(record(1)), Selection(), NOW).decode()


def test_the_last_hour_is_told_in_words_and_in_a_table() -> None:
    """With what came too fast to be shown."""
    seen = history(record(1, effect="deny"), record(2))
    seen.add(b"", missed=7)
    shown = text(decisions(ANA, seen, Selection(), NOW))
    assert "Last hour: 1 denied, 0 held, 1 allowed. 7 records came too fast" in shown
    assert "Minutes ago" in shown


def test_an_empty_page_says_where_the_rest_is() -> None:
    """Rather than nothing."""
    assert "tipstaff log" in text(decisions(ANA, History(), Selection(), NOW))


def test_a_shadow_finding_and_an_unknown_caller_are_shown() -> None:
    """In the row."""
    odd = record(
        1, principal={"id": ""}, target="", shadow=[{"effect": "deny", "rule": "x"}], timestamp="?"
    )
    shown = text(decisions(ANA, history(odd), Selection(), NOW))
    for part in ("shadow", "nobody knows", "bank tools/call", "?"):
        assert part in shown
