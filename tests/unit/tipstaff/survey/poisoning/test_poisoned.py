"""What signs mean for a tool's risk."""

from __future__ import annotations

import pytest

from tipstaff.survey.model import Category, Classification, Mark, Risk, Sign
from tipstaff.survey.poisoning.poisoned import hiding, raised, warnings
from tipstaff.survey.poisoning.signs import KINDS


def sign(kind: str) -> Sign:
    return Sign(kind, "description, character 4", "do it", "It says so.")


def found(risk: Risk, category: Category = Category.READ) -> Classification:
    rationale = f"{category}: its name says so. Risk {risk}: nothing is at stake."
    return Classification(category, risk, 0.7, (Mark.FILES,), (), rationale)


@pytest.mark.parametrize(
    ("kinds", "risk"),
    [
        ((), Risk.LOW),
        (("same_name",), Risk.LOW),
        (("oversized_text",), Risk.HIGH),
        (("lookalike_name",), Risk.HIGH),
        (("instructions_to_model",), Risk.CRITICAL),
        (("oversized_text", "hidden_characters"), Risk.CRITICAL),
    ],
)
def test_a_sign_raises_the_risk_as_far_as_it_is_grave(kinds: tuple[str, ...], risk: Risk) -> None:
    """What may be a mistake is high, what speaks to the model is critical."""
    assert raised(found(Risk.LOW), [sign(kind) for kind in kinds]).risk is risk


@pytest.mark.parametrize("risk", Risk)
def test_no_sign_lowers_a_risk_or_changes_what_a_call_does(risk: Risk) -> None:
    """The category tells of calls, and so do the marks."""
    before = found(risk, Category.FINANCIAL)
    after = raised(before, [sign("oversized_text")])
    assert list(Risk).index(after.risk) >= list(Risk).index(risk)
    assert (after.category, after.marks, after.confidence) == (
        before.category,
        before.marks,
        before.confidence,
    )


def test_the_rationale_and_the_evidence_say_what_raised_it() -> None:
    """And go on with what the tool was found to be."""
    after = raised(found(Risk.LOW), [sign("padding"), sign("padding")])
    assert after.rationale == (
        "Read: its name says so. Risk critical: its definition has warning signs (padding)."
    )
    assert [(one.field, one.words, one.says) for one in after.evidence] == [
        ("description", "do it", "critical: padding")
    ] * 2


def test_what_hides_a_tool_is_all_but_a_text_that_is_merely_long() -> None:
    """A text that was not read to its end may say anything; one that was, says nothing."""
    kinds = [*KINDS, "lookalike_name", "duplicate_name", "same_name"]
    left = [kind for kind in kinds if not hiding([sign(kind)])]
    assert left == ["oversized_text", "same_name"]


def test_a_shared_name_is_no_warning() -> None:
    """Honest servers have tools of one name."""
    assert warnings([sign("same_name"), sign("padding")]) == (sign("padding"),)
