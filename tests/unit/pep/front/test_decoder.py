"""Compressed bodies, undone as every client undoes them, in pieces and within bounds."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pep.errors import AnswerUnreadable
from pep.front.decoder import FREE_BYTES, PIECE, Decoder

RAW_DEFLATE = zlib.compressobj(wbits=-15)


def decoded(coding: bytes, packed: bytes, *cuts: int) -> bytes:
    decoder, plain, start = Decoder(coding), b"", 0
    for cut in [*sorted(cuts), len(packed)]:
        plain += b"".join(decoder.feed(packed[start:cut]))
        start = max(start, cut)
    decoder.finish()
    return plain


@given(
    st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    st.lists(st.integers(0, 99), max_size=5),
)
def test_no_way_of_cutting_the_bytes_changes_what_is_read(
    members: list[bytes], cuts: list[int]
) -> None:
    """Gzip of one member or several, deflate with the header of zlib, or nothing at all."""
    plain = b"".join(members)
    assert decoded(b"gzip", b"".join(map(gzip.compress, members)), *cuts) == plain
    assert decoded(b"x-gzip", gzip.compress(plain, mtime=0), *cuts) == plain
    assert decoded(b"deflate", zlib.compress(plain), *cuts) == plain
    assert decoded(b"", plain, *cuts) == decoded(b"identity", plain, *cuts) == plain


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (b"gzip", zlib.compress(b"x")),
        (b"deflate", gzip.compress(b"x", mtime=0)),
        (b"deflate", RAW_DEFLATE.compress(b"x") + RAW_DEFLATE.flush()),
        (b"deflate", zlib.compress(b"x") + zlib.compress(b"y")),
        (b"gzip", gzip.compress(b"x", mtime=0) + b"\0"),
        (b"gzip", gzip.compress(b"x", mtime=0)[:-1]),
        (b"gzip", gzip.compress(b"x", mtime=0)[:-8] + b"\0" * 8),
        (b"gzip", gzip.compress(b"", mtime=0) * 5000),
        (b"gzip", b"{"),
    ],
)
def test_what_some_clients_would_read_otherwise_is_refused(coding: bytes, packed: bytes) -> None:
    """Or not to its end; or what takes more work than it is worth."""
    with pytest.raises(AnswerUnreadable):
        decoded(coding, packed)


def test_every_piece_is_bounded_and_so_is_what_a_small_body_becomes() -> None:
    """A thousandfold is no text; the first megabytes are free."""
    packed = zlib.compress(b" " * (64 * FREE_BYTES), 9)
    decoder = Decoder(b"deflate")
    sizes: list[int] = []
    with pytest.raises(AnswerUnreadable):
        sizes.extend(len(piece) for piece in decoder.feed(packed))
    assert max(sizes) <= PIECE
    assert FREE_BYTES <= sum(sizes) < 20 * FREE_BYTES
    few = zlib.compress(b" " * FREE_BYTES, 9)
    assert len(decoded(b"deflate", few)) == FREE_BYTES
