"""Words are found wherever they stand, and however many of them there are."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.common.word_scan import WordScan

SCAN = WordScan([b"ab", b"needle"])
PIECE = 64 * 1024


@given(st.binary(max_size=40))
def test_it_finds_what_is_there(data: bytes) -> None:
    """And nothing else."""
    assert SCAN.finds_in(data) == (b"ab" in data or b"needle" in data)


@pytest.mark.parametrize("start", [0, 1, PIECE - 6, PIECE - 5, PIECE - 1, PIECE, 2 * PIECE - 3])
def test_no_border_between_pieces_hides_a_word(start: int) -> None:
    """Wherever it is cut."""
    data = b"x" * start + b"needle"
    assert SCAN.finds_in(data)
    assert SCAN.finds_in(data + b"x" * PIECE)
    assert not SCAN.finds_in(b"x" * start + b"needl" + b"x" * PIECE)


def test_very_many_words_take_no_memory() -> None:
    """Eight megabytes of nothing else."""
    data = b"ab" * (4 * 1024 * 1024)
    tracemalloc.start()
    assert SCAN.finds_in(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 1024 * 1024
