"""The keys of an issuer: those that can verify are read, whatever else stands beside them.

What a token proves is in `tests/unit/pep/callers/test_jwt_bearer.py` and `tests/e2e/test_console_openid.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.jwts import Issuer
from tipstaff.common.signed_token import read_keys

ALGORITHMS = ("RS256", "ES256")
ISSUERS = {kind: Issuer(kind) for kind in ALGORITHMS}


def test_only_keys_that_fit_are_read() -> None:
    """Not those for encryption, for another curve, or shared secrets."""
    issuer = ISSUERS["ES256"]
    for odd in (
        issuer.jwk(use="enc"), issuer.jwk(alg="ES384"), {"kty": "oct", "k": "AAAA", "kid": "k1"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="no key"):
            read_keys(json.dumps({"keys": [odd]}).encode(), ALGORITHMS)


RSA, EC = ISSUERS["RS256"].jwk(), ISSUERS["ES256"].jwk()
NO_KEYS: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "a list": [],
    "no members": {},
    "no kind": {"kid": "k"},
    "a kind to come": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "k"},
    "a kind that is no text": {**RSA, "kty": ["RSA"], "kid": "k"},
    "an RSA key without numbers": {"kty": "RSA", "kid": "k"},
    "a modulus that is a number": {**RSA, "n": 5, "kid": "k"},
    "a modulus that is no base64": {**RSA, "n": "!!!", "kid": "k"},
    "a modulus without end": {**RSA, "n": "A" * 5000, "kid": "k"},
    "a modulus of few bits": {**RSA, "n": RSA["n"][:100], "kid": "k"},
    "an exponent of one": {**RSA, "e": "AQ", "kid": "k"},
    "an exponent without end": {**RSA, "e": "A" * 5000, "kid": "k"},
    "a point that is too short": {**EC, "x": "AAAA", "kid": "k"},
    "a point that is not on the curve": {**EC, "x": EC["y"], "kid": "k"},
    "a point that is nothing": {**EC, "x": None, "kid": "k"},
    "a curve to come": {**EC, "crv": "P-1024", "kid": "k"},
    "a curve that is no text": {**EC, "crv": ["P-256"], "kid": "k"},
    "an Edwards curve of another kind": {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "k"},
    "a shared secret": {"kty": "oct", "k": "AAAA", "kid": "k"},
    "a private key": {**RSA, "d": "AAAA", "kid": "k"},
    "a key for encryption": {**RSA, "use": "enc", "kid": "k"},
    "a use that is no text": {**RSA, "use": 5, "kid": "k"},
    "a key that only signs": {**RSA, "key_ops": ["sign"], "kid": "k"},
    "operations that are none": {**RSA, "key_ops": 5, "kid": "k"},
    "an algorithm of another key": {**RSA, "alg": "ES256", "kid": "k"},
    "an algorithm that is no text": {**RSA, "alg": 5, "kid": "k"},
    "an id that is no text": {**RSA, "kid": 5},
    "an id without end": {**RSA, "kid": "k" * 5000},
    "a second key of the same id": {**Issuer("RS256").jwk(), "kid": "k1"},
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_one_key_that_cannot_be_used_is_passed_over(case: str) -> None:
    """RFC 7517 section 5: it takes nobody's key away; what is the matter with it is told."""
    found = read_keys(json.dumps({"keys": [RSA, NO_KEYS[case], EC]}).encode(), ALGORITHMS)
    assert set(found.keys) == {("k1", "RS256"), ("k1", "ES256")}
    assert found.keys["k1", "RS256"].key == read_keys(
        json.dumps({"keys": [RSA]}).encode(), ALGORITHMS
    ).keys["k1", "RS256"].key  # fmt: skip
    (reason,) = found.passed_over
    assert len(reason) <= 200
    assert "AAAA" not in reason
    alone = [] if case.startswith("a second") else [NO_KEYS[case]]
    with pytest.raises(ValueError, match="no key"):
        read_keys(json.dumps({"keys": alone}).encode(), ALGORITHMS)


def test_a_set_without_end_is_read_to_a_bound() -> None:
    """Making a key takes time."""
    keys = [{**EC, "kid": f"k{number}"} for number in range(70)]
    found = read_keys(json.dumps({"keys": keys}).encode(), ALGORITHMS)
    assert (len(found.keys), len(found.passed_over)) == (64, 6)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff", b'{"keys": []}'])
def test_what_is_no_key_set_is_refused(data: bytes) -> None:
    """With a ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError, match=r"JWK set|no key"):
        read_keys(data, ALGORITHMS)
