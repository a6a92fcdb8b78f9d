"""The sentence that says why."""

from __future__ import annotations

from tipstaff.survey.classify.classify import classify_all


def rationale(name: str, description: str, *siblings: str) -> str:
    tools = [{"name": name, "description": description}, *({"name": one} for one in siblings)]
    return classify_all(tools)[0].rationale


def test_a_verb_in_two_fields_is_one_reason() -> None:
    """And the risk has a reason of its own."""
    assert rationale("delete_cluster", "Deletes a cluster.") == (
        'Destructive: its name and its description say "delete". '
        "Risk critical: what is deleted is gone."
    )


def test_a_rule_gives_its_reason_and_quotes() -> None:
    """In the definition's own words."""
    said = rationale("wire", "Sends money to an account.")
    assert said.startswith('Financial: moves money ("send, money")')


def test_company_is_named_where_there_is_enough() -> None:
    """Three others at least, by a word that is no verb."""
    many = rationale("topic_get", "Get it.", "topic_list", "topic_make", "topics_purge")
    few = rationale("topic_get", "Get it.", "topic_list", "other")
    assert 'beside 3 other tools about "topic"' in many
    assert "beside" not in few


def test_a_long_quote_is_cut() -> None:
    """A description may be a page."""
    said = rationale("x", f"Deletes {'very ' * 40}much.")
    assert "…" in said
    assert len(said) < 220
