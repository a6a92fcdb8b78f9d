"""Words that nobody knows: what was probably meant."""

from __future__ import annotations

from tipstaff.common.did_you_mean import closest, nearest


def test_the_nearest_known_word_is_told() -> None:
    """Near enough to be a slip of the hand."""
    assert nearest("alow", ["deny", "allow"]) == "did you mean `allow`?"


def test_nothing_near_is_no_guess() -> None:
    """Then what there is, is listed, and not too much of it."""
    assert nearest("zzz", []) == "none is known"
    assert nearest("zzz", ["b", "a"]) == "known are: a, b"
    assert nearest("zzz", [f"k{n}" for n in range(20)]).endswith(", …")


def test_how_like_a_word_must_be_can_be_told() -> None:
    """One slip in a short word leaves little of it."""
    assert closest("alow", ["deny", "allow"]) == "allow"
    assert closest("alow", ["deny", "allow"], likeness=0.9) is None
    assert closest("x", []) is None
