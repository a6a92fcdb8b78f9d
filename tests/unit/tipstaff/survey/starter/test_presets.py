"""What a preset says of a tool: a table, in which strict is nowhere looser."""

from __future__ import annotations

from itertools import chain, combinations, product

import pytest

from tipstaff.survey.model import Category, Classification, Mark, Risk
from tipstaff.survey.starter.presets import EVERYTHING, Preset, Ruling, Standing, ruling, standing

MARKS = (Mark.PERSONAL, Mark.SECRETS_OUT, Mark.FREE_CODE)
SEVERITY = {"allow": 0, "require_approval": 1, "deny": 2}
ALL = [
    Classification(category, risk, 0.9, marks, (), "")
    for category, risk in product(Category, Risk)
    for marks in chain.from_iterable(combinations(MARKS, size) for size in range(len(MARKS) + 1))
]


def found(category: Category, risk: Risk, *marks: Mark) -> Classification:
    return Classification(category, risk, 0.9, marks, (), "")


def rate(says: Ruling) -> float:
    return says.budget.max / says.budget.window if says.budget else float("inf")


def test_strict_is_nowhere_looser_than_recommended() -> None:
    """Whatever the tool: its action, its budget, its arguments."""
    for one in ALL:
        soft, hard = ruling(Preset.RECOMMENDED, one), ruling(Preset.STRICT, one)
        assert SEVERITY[hard.action] >= SEVERITY[soft.action], one
        if hard.action != "deny":
            assert rate(hard) <= rate(soft), one
            assert hard.declared >= soft.declared, one
    assert EVERYTHING[Preset.STRICT].max < EVERYTHING[Preset.RECOMMENDED].max


def test_what_is_observed_is_what_would_be_recommended() -> None:
    """So that what is recorded tells what enforcing would do."""
    for one in ALL:
        assert ruling(Preset.OBSERVE, one) == ruling(Preset.RECOMMENDED, one)


@pytest.mark.parametrize("preset", Preset)
def test_only_reading_is_ever_allowed_without_a_limit(preset: Preset) -> None:
    """And nothing critical, destructive or financial is allowed without a person."""
    for one in ALL:
        says = ruling(preset, one)
        if one.category is not Category.READ:
            assert says.action == "deny" or (says.budget and says.declared), one
        if one.category in {Category.DESTRUCTIVE, Category.FINANCIAL}:
            assert says.action != "allow", one
        if one.risk is Risk.CRITICAL and one.category is not Category.READ:
            assert says.action != "allow", one


@pytest.mark.parametrize("preset", Preset)
def test_a_rule_that_denies_gives_a_reason_and_nothing_without_effect(preset: Preset) -> None:
    """An allow gives no reason, a denial no limit: both would be load errors."""
    for one in ALL:
        says = ruling(preset, one)
        assert bool(says.reason) == (says.action != "allow")
        if says.action == "deny":
            assert (says.budget, says.declared) == (None, False)


def test_approvals_cannot_be_flooded() -> None:
    """Their budget is the caller's: a session more would be a budget more."""
    for preset, one in product(Preset, ALL):
        says = ruling(preset, one)
        if says.action == "require_approval":
            assert says.budget is not None
            assert says.budget.scope == "principal"


@pytest.mark.parametrize(
    ("one", "want"),
    [
        (found(Category.READ, Risk.LOW), Standing.READ),
        (found(Category.READ, Risk.MEDIUM), Standing.INNER_READ),
        (found(Category.READ, Risk.LOW, Mark.PERSONAL), Standing.PERSONAL_READ),
        (found(Category.READ, Risk.MEDIUM, Mark.PERSONAL), Standing.PERSONAL_READ),
        (
            found(Category.READ, Risk.LOW, Mark.PERSONAL, Mark.SECRETS_OUT),
            Standing.CONFIDENTIAL_READ,
        ),
        (found(Category.READ, Risk.HIGH), Standing.CONFIDENTIAL_READ),
        (found(Category.WRITE, Risk.LOW), Standing.WRITE),
        (found(Category.WRITE, Risk.HIGH), Standing.GRAVE_WRITE),
        (found(Category.WRITE, Risk.CRITICAL), Standing.CRITICAL_WRITE),
        (found(Category.EXECUTE, Risk.MEDIUM), Standing.EXECUTE),
        (found(Category.EXECUTE, Risk.HIGH, Mark.FREE_CODE), Standing.GRAVE_EXECUTE),
        (found(Category.EXECUTE, Risk.CRITICAL), Standing.CRITICAL_EXECUTE),
        (found(Category.DESTRUCTIVE, Risk.LOW), Standing.DESTRUCTIVE),
        (found(Category.FINANCIAL, Risk.HIGH), Standing.FINANCIAL),
    ],
)
def test_what_matters_of_a_tool_is_its_row(one: Classification, want: Standing) -> None:
    """Its category, its risk, and of reads what they return."""
    assert standing(one) is want


def test_every_row_is_of_some_tool() -> None:
    """A row that nothing reaches would be read as if it meant something."""
    assert {standing(one) for one in ALL} == set(Standing)
