"""What a JSON Web Token proves, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pep.callers.jwt_bearer import Proven, key_of, verify
from pep.errors import CredentialInvalid
from tests.jwts import ISSUER, Issuer
from tipstaff.common.signed_token import MAX_BYTES, Expected, read_keys

AUDIENCE = "https://gate.example/files/mcp"
ALGORITHMS = ("RS256", "ES256")
EXPECTED = Expected(ISSUER, AUDIENCE, ALGORITHMS, 30)
ISSUERS = {kind: Issuer(kind) for kind in ALGORITHMS}
NOW = 1_790_000_000.0


@pytest.fixture(params=ALGORITHMS)
def issuer(request: pytest.FixtureRequest) -> Issuer:
    return ISSUERS[request.param]


def token(issuer: Issuer, audience: Any = AUDIENCE, **more: Any) -> str:
    """A token of this test's time."""
    return issuer.token(audience, **{"iat": int(NOW), "exp": int(NOW) + 600, **more})


def judge(text: str, issuer: Issuer, now: float = NOW, expected: Expected = EXPECTED) -> Proven:
    """Find the key and verify, as the proxy does."""
    key = key_of(text, read_keys(issuer.jwks().encode(), expected.algorithms).keys)
    if key is None:
        raise CredentialInvalid("the key is not known")
    return verify(text, key, expected, now)


def refusal(text: str, issuer: Issuer, **more: Any) -> str:
    with pytest.raises(CredentialInvalid) as found:
        judge(text, issuer, **more)
    return found.value.message


def test_an_honest_token_proves_its_subject(issuer: Issuer) -> None:
    """Its claims go on to the rules."""
    proven = judge(token(issuer, AUDIENCE, groups=["ops"]), issuer)
    assert (proven.principal.id, proven.principal.kind) == ("jwt:ann", "jwt")
    assert json.loads(proven.principal.claims)["groups"] == ["ops"]
    assert NOW + 600 < proven.expires < NOW + 640


def test_a_token_of_a_program_proves_its_client(issuer: Issuer) -> None:
    """Which cannot be taken for a person of that name."""
    assert (
        judge(token(issuer, AUDIENCE, sub=None, client_id="ann"), issuer).principal.id
        == "jwt-client:ann"
    )


def test_a_token_for_several_audiences_is_for_us_too(issuer: Issuer) -> None:
    """RFC 7519: `aud` may be a list."""
    assert judge(token(issuer, ["other", AUDIENCE]), issuer).principal.id == "jwt:ann"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another audience": ({"aud": "https://gate.example/other/mcp"}, "another audience"),
    "no audience": ({"aud": None}, "lacks a claim"),
    "another issuer": ({"iss": "https://evil.example"}, "another issuer"),
    "no issuer": ({"iss": None}, "lacks a claim"),
    "no end": ({"exp": None}, "lacks a claim"),
    "an end that is past": ({"exp": int(NOW) - 31}, "expired"),
    "an end that is no time": ({"exp": "tomorrow"}, "exp is not a time"),
    "an end that is true": ({"exp": True}, "exp is not a time"),
    "a beginning to come": ({"nbf": int(NOW) + 90}, "not valid yet"),
    "issued in the future": ({"iat": int(NOW) + 90}, "not valid yet"),
    "no subject": ({"sub": None}, "neither sub nor client_id"),
    "an empty subject": ({"sub": ""}, "sub cannot be a name"),
    "a subject with a line end": ({"sub": "a\nb"}, "sub cannot be a name"),
    "a subject without end": ({"sub": "a" * 201}, "sub cannot be a name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_claim_that_is_wrong_is_refused(case: str, issuer: Issuer) -> None:
    """The message says what, and quotes nothing."""
    claims, wanted = REFUSED[case]
    assert wanted in refusal(token(issuer, AUDIENCE, **claims), issuer)


def test_the_issuers_clock_may_differ_a_little(issuer: Issuer) -> None:
    """By the leeway, and not more."""
    assert judge(token(issuer, AUDIENCE, exp=int(NOW) - 29), issuer)
    assert judge(token(issuer, AUDIENCE, nbf=int(NOW) + 29), issuer)


def test_a_token_without_a_signature_is_refused(issuer: Issuer) -> None:
    """`alg: none` is no algorithm."""
    assert "algorithm is not accepted" in refusal(issuer.unsigned(AUDIENCE), issuer)


def test_a_public_key_is_no_shared_secret(issuer: Issuer) -> None:
    """The classical confusion of HS256 with a public key."""
    assert "algorithm is not accepted" in refusal(issuer.confused(AUDIENCE), issuer)


def test_a_forged_signature_is_refused(issuer: Issuer) -> None:
    """Under the very key id of the issuer."""
    forger = Issuer(issuer.algorithm, issuer.kid)
    assert "signature is wrong" in refusal(token(forger, AUDIENCE), issuer)


def test_a_changed_payload_is_refused(issuer: Issuer) -> None:
    """The signature is of another text."""
    head, _, tail = token(issuer, AUDIENCE).split(".")
    _, payload, _ = token(issuer, AUDIENCE, sub="root").split(".")
    assert "signature is wrong" in refusal(f"{head}.{payload}.{tail}", issuer)


def test_a_key_of_another_id_or_algorithm_is_not_found(issuer: Issuer) -> None:
    """Then the caller may look for newer keys."""
    keys = read_keys(issuer.jwks().encode(), ALGORITHMS).keys
    assert key_of(token(Issuer(issuer.algorithm, "k2"), AUDIENCE), keys) is None
    other = {"RS256": "ES256", "ES256": "RS256"}[issuer.algorithm]
    assert key_of(token(Issuer(other, issuer.kid), AUDIENCE), keys) is None


def test_an_extension_that_must_be_understood_is_refused(issuer: Issuer) -> None:
    """RFC 7515 section 4.1.11."""
    extended = token(issuer, AUDIENCE, headers={"crit": ["x"], "x": 1})
    assert refusal(extended, issuer)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "x" * 100, "e30.e30.", "é.é.é"])
def test_what_is_no_token_is_refused(text: str, issuer: Issuer) -> None:
    """Whatever it is, it is no exception of a library."""
    assert refusal(text, issuer)


def test_a_token_without_end_is_refused_unread(issuer: Issuer) -> None:
    """A header line can be long."""
    assert "too long" in refusal("a" * (MAX_BYTES + 1), issuer)
