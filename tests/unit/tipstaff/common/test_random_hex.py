"""Names that nobody can guess."""

from __future__ import annotations

from tipstaff.common.random_hex import RandomHex


def test_names_have_the_length_asked_for_and_none_comes_twice() -> None:
    """Also across several draws from the system."""
    for size in (10, 16):
        draw = RandomHex(size)
        names = [draw() for _ in range(2000)]
        assert {len(name) for name in names} == {2 * size}
        assert len(set(names)) == len(names)


def test_two_sources_have_nothing_in_common() -> None:
    """Each asks the system."""
    left, right = RandomHex(16), RandomHex(16)
    assert not {left() for _ in range(500)} & {right() for _ in range(500)}
