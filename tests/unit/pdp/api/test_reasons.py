"""The reason codes: one table, fit to be shown and matched on."""

from __future__ import annotations

import re

import pytest

from pdp.api.reasons import REASONS


@pytest.mark.parametrize(("code", "meaning"), REASONS.items())
def test_every_code_is_stable_snake_case_with_a_sentence(code: str, meaning: str) -> None:
    """Programs match the code, people read the sentence."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert re.fullmatch(r"[A-Z][^\n]+\.", meaning)


def test_the_table_cannot_be_changed() -> None:
    """It is a constant that everything shares."""
    with pytest.raises(TypeError):
        REASONS["allowed"] = "x"  # type: ignore[index]


@pytest.mark.parametrize(
    "code",
    [
        *("allowed", "no_permit", "arguments_invalid", "approval_required", "rate_limited"),
        *("rate_limit_unavailable", "journal_unavailable", "pdp_unavailable", "tool_changed"),
        *("policy_unavailable", "policy_undefined", "policy_error", "policy_invalid_result"),
    ],
)
def test_the_codes_that_the_decision_service_gives_are_listed(code: str) -> None:
    """A code without a meaning would be a refusal that explains nothing."""
    assert code in REASONS
