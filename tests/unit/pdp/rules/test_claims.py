"""The claims that a record keeps."""

from __future__ import annotations

import pytest

from pdp.rules.claims import ClaimsRead, kept

CLAIMS = b'{ "roles":["a", 1.50],"email":"a@x.org"}'


@pytest.mark.parametrize(
    ("read", "claims", "is_whole"),
    [
        (None, CLAIMS, True),
        (frozenset({"roles", "email", "other"}), CLAIMS, True),
        (frozenset({"roles"}), b'{"roles":["a", 1.50]}', False),
        (frozenset(), b"{}", False),
    ],
)
def test_of_claims_those_that_are_read_are_kept(
    read: ClaimsRead, claims: bytes, is_whole: bool
) -> None:
    """As they were written."""
    assert kept(CLAIMS, read) == (claims, is_whole)
