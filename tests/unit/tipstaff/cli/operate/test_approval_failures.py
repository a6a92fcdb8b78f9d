"""An answer that was not taken is told with what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tipstaff.cli.operate.approval_failures import REASONS, sentence

PDP = Path(__file__).parents[5] / "pdp"


def test_every_reason_of_the_service_is_known() -> None:
    """A new one needs advice here."""
    text = "".join(path.read_text() for path in PDP.rglob("*.py"))
    assert set(re.findall(r'AnswerError\(\s*"([A-Z_]+)"', text)) == REASONS


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_failure_is_told_with_the_next_step(reason: str) -> None:
    """In the words of the service, and then in ours."""
    text = sentence(reason, "No", approval_id="a-1", by="ana")
    assert text.startswith("No: ")
    assert "{" not in text.replace("{max: SECONDS}", "")


def test_another_reason_is_for_somebody_else_to_explain() -> None:
    """A store that is away is no fault of an answer."""
    assert sentence("STORE_UNAVAILABLE", "x", approval_id="a-1", by="ana") == ""
