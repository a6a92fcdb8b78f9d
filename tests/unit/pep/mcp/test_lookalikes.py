"""Which keys a loose parser might take for others."""

from __future__ import annotations

import pytest

from pep.mcp.lookalikes import keys

KNOWN = keys("params", "taskId")


@pytest.mark.parametrize(
    "key",
    [
        "Params", "PARAMS", "param\u017f", "tas\u212aId", "\uff50arams", "params\u200b", "taskid",
        "params ", " params", "par ams", "params\t", "params\n", "params\u00a0", "params\u3000",
        "pa\u00adrams", "params\ufe0f", "\ufeffparams", "params\u2028", "params\x00", "params\x7f",
        "task_id", "task-id", "_params", "params[]", "params.", "$params",
    ],
)  # fmt: skip
def test_a_key_that_folds_to_one_of_ours_is_a_lookalike(key: str) -> None:
    """Case, compatibility forms, what nobody sees, and the other ways to join words."""
    assert KNOWN.lookalike(["other", key]) == key


@pytest.mark.parametrize(
    "key", ["params", "taskId", "param", "task_ids", "", "arams", "_", "x-params", "par\u00e1ms"]
)
def test_our_own_keys_and_other_words_are_none(key: str) -> None:
    """Exactly ours, or really another."""
    assert KNOWN.lookalike([key]) is None
