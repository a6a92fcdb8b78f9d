"""Tipstaff's own tokens: shown once, kept as a digest, refused when they should be."""

from __future__ import annotations

import pytest

from pep.callers import api_token
from pep.callers.api_token import TokenFile
from pep.errors import CredentialInvalid

NOW = 1_790_000_000


def one(name: str = "ci", seed: int = 1, expires: int = 0) -> tuple[str, api_token.Entry]:
    return api_token.make(bytes([seed]) * api_token.BYTES, name, NOW, expires)


def test_a_token_proves_its_name() -> None:
    """Through the file and back."""
    token, entry = one()
    tokens = api_token.read(api_token.write(TokenFile((entry,))))
    principal = api_token.verify(token, tokens.by_digest(), NOW)
    assert (principal.id, principal.kind) == ("token:ci", "token")


def test_the_file_holds_nothing_that_could_be_shown() -> None:
    """Only a digest of 256 random bits."""
    token, entry = one()
    assert token.removeprefix(api_token.PREFIX).encode() not in api_token.write(TokenFile((entry,)))


def test_a_token_that_is_unknown_expired_or_revoked_is_refused() -> None:
    """At the very second."""
    token, entry = one(expires=NOW + 10)
    known = TokenFile((entry,)).by_digest()
    with pytest.raises(CredentialInvalid, match="not known"):
        api_token.verify(one(seed=2)[0], known, NOW)
    assert api_token.verify(token, known, NOW + 9)
    with pytest.raises(CredentialInvalid, match="expired"):
        api_token.verify(token, known, NOW + 10)
    revoked, changed = api_token.revoke(TokenFile((entry,)), "ci", NOW)
    assert changed == 1
    with pytest.raises(CredentialInvalid, match="revoked"):
        api_token.verify(token, revoked.by_digest(), NOW)


def test_one_of_two_tokens_of_a_caller_can_be_revoked() -> None:
    """By its id; by the name, all of them."""
    (first, kept), (second, gone) = one(seed=1), one(seed=2)
    tokens, changed = api_token.revoke(TokenFile((kept, gone)), gone.id, NOW)
    assert changed == 1
    assert api_token.verify(first, tokens.by_digest(), NOW)
    with pytest.raises(CredentialInvalid):
        api_token.verify(second, tokens.by_digest(), NOW)
    assert api_token.revoke(tokens, "ci", NOW)[1] == 1
    assert api_token.revoke(tokens, "nobody", NOW)[1] == 0


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", ".a", "a" * 64, "a\n"])
def test_a_name_that_cannot_be_a_principal_is_refused(name: str) -> None:
    """It stands in rules and records."""
    with pytest.raises(ValueError, match="cannot be the name"):
        one(name)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"tokens": 1}', b'{"tokens": [], "x": 1}', b"\xff"])
def test_what_is_no_file_of_tokens_is_refused(data: bytes) -> None:
    """It does not mean that there is no token."""
    with pytest.raises(ValueError, match="not a file of tokens"):
        api_token.read(data)
