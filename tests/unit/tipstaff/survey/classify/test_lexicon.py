"""The vocabulary: what it refuses, so that a slip in it is no silent gap."""

from __future__ import annotations

import re
from importlib import resources

import msgspec
import pytest

from tipstaff.survey.classify.lexicon import lexicon, parse
from tipstaff.survey.model import Category, Mark, Risk

TEXT = resources.files("tipstaff.survey.classify").joinpath("lexicon.toml").read_text("utf-8")


def test_every_rule_says_something_that_there_is() -> None:
    """A category, a mark or a risk, and why in words that go on after a colon."""
    rules = lexicon().rules
    assert {rule.says for rule in rules["category"]} <= set(Category)
    assert {rule.says for rule in rules["mark"]} <= set(Mark)
    assert {rule.says for rule in rules["risk"]} == set(Risk)
    for kind in rules.values():
        for rule in kind:
            assert re.match(r"[a-z]", rule.why), rule.why
            assert not rule.why.endswith("."), rule.why


def test_a_verb_is_found_in_its_forms_and_only_there() -> None:
    """Also a verb that says nothing by itself."""
    words = lexicon()
    assert words.verb("deleting") == "delete"
    assert words.verb("manages") == "manage"
    assert words.verb("broker") == ""
    assert words.is_clear_verb("delete")
    assert not words.is_clear_verb("order")
    assert not words.is_clear_verb("manage")


def test_an_argument_is_known_by_its_whole_name() -> None:
    """A star stands for anything."""
    words = lexicon()
    assert "secret" in words.argument("db_password")
    assert "url" in words.argument("callback_url")
    assert words.argument("passwordless") == ()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('things = ["rights"]', 'things = ["right"]', "there is no right"),
        ('verbs = ["hover"', 'verbs = ["hovre"', "there is no hovre"),
        ('phrases = ["manifest"]', 'phrases = ["manifets"]', "there is no manifets"),
        ("\n  get list", "\n  delete get list", "delete is said to be"),
    ],
)
def test_a_rule_that_could_never_hold_is_refused(before: str, after: str, message: str) -> None:
    """It names what the vocabulary does not have, or a verb that stands in two lists."""
    assert before in TEXT
    with pytest.raises(ValueError, match=message):
        parse(TEXT.replace(before, after, 1))


def test_every_category_keeps_a_risk_that_always_holds() -> None:
    """Else a tool might be found to have none."""
    cut = TEXT.rindex("[[risk]]")
    with pytest.raises(ValueError, match="no risk is left for Financial"):
        parse(TEXT[:cut])


def test_a_key_that_is_not_known_is_refused() -> None:
    """A misspelt condition would hold everywhere."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `verb`"):
        parse(TEXT + '\n[[risk]]\nwhy = "x"\nsays = "low"\nverb = ["get"]\n')
