"""The signature algorithms that are believed."""

from __future__ import annotations

from tipstaff.common.jwt_algorithms import JWT_ALGORITHMS


def test_tokens_are_signed_with_keys_that_a_verifier_cannot_sign_with() -> None:
    """No shared secret, and not nothing."""
    assert JWT_ALGORITHMS.keys() & {"none", "HS256", "HS384", "HS512"} == set()
    assert {kind for kind, _ in JWT_ALGORITHMS.values()} == {"RSA", "EC", "OKP"}
    assert JWT_ALGORITHMS["ES384"] == ("EC", "P-384")
