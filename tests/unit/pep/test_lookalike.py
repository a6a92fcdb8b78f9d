"""Which keys a loose parser might take for others."""

from __future__ import annotations

import pytest

from pep.lookalike import keys

KNOWN = keys("params", "taskId")


@pytest.mark.parametrize(
    "key",
    ["Params", "PARAMS", "param\u017f", "tas\u212aId", "\uff50arams", "params\u200b", "taskid"],
)
def test_a_key_that_folds_to_one_of_ours_is_a_lookalike(key: str) -> None:
    """Case, compatibility forms, and what nobody sees."""
    assert KNOWN.lookalike(["other", key]) == key


@pytest.mark.parametrize("key", ["params", "taskId", "param", "task_id", "", "arams"])
def test_our_own_keys_and_other_words_are_none(key: str) -> None:
    """Exactly ours, or really another."""
    assert KNOWN.lookalike([key]) is None
