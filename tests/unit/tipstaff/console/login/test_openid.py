"""Login by OpenID Connect: what fits an attempt, and what does not."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.console.config import OpenId
from tipstaff.console.login import openid
from tipstaff.console.login.openid import ATTEMPT_SECONDS, MOST_ATTEMPTS, Attempts, LoginError

ISSUER = "https://id.example"
CONFIG = OpenId(ISSUER, "tipstaff")
STATE, BROWSER = "s" * 43, "b" * 43
DISCOVERY = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "id_token_signing_alg_values_supported": ["none", "HS256", "ES256"],
}
CLAIMS = {"sub": "ann", "aud": "tipstaff", "nonce": "n", "iat": 1}


def provider(**more: Any) -> openid.Provider:
    return openid.provider(json.dumps({**DISCOVERY, **more}).encode(), ISSUER)


def test_an_attempt_ends_once_in_the_browser_that_began_it() -> None:
    """And in time; a try in another browser ends it, too."""
    attempts = Attempts()
    attempts.begin(STATE, BROWSER, "n", "v", 0.0)
    assert attempts.end(STATE, BROWSER, 1.0).verifier == "v"
    for state, browser, now in (
        (STATE, BROWSER, 1.0), (STATE, "c" * 43, 1.0), ("x", BROWSER, 1.0), ("", "", 1.0),
        (STATE, BROWSER, ATTEMPT_SECONDS),
    ):  # fmt: skip
        attempts = Attempts()
        if (state, browser, now) != (STATE, BROWSER, 1.0):
            attempts.begin(STATE, BROWSER, "n", "v", 0.0)
        with pytest.raises(LoginError):
            attempts.end(state, browser, now)
    attempts = Attempts()
    attempts.begin(STATE, BROWSER, "n", "v", 0.0)
    with pytest.raises(LoginError, match="another browser"):
        attempts.end(STATE, "c" * 43, 1.0)
    with pytest.raises(LoginError, match="not begun here"):
        attempts.end(STATE, BROWSER, 1.0)


def test_attempts_do_not_fill_the_memory() -> None:
    """The oldest go."""
    attempts = Attempts()
    for number in range(MOST_ATTEMPTS + 1):
        attempts.begin(f"{number:043}", BROWSER, "n", "v", 0.0)
    with pytest.raises(LoginError):
        attempts.end(f"{0:043}", BROWSER, 1.0)
    assert attempts.end(f"{1:043}", BROWSER, 1.0)


def test_the_browser_is_sent_with_a_challenge_and_never_with_the_verifier() -> None:
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    where = openid.address(
        provider(), CONFIG, redirect="http://127.0.0.1:1/x", state=STATE, nonce="n", verifier=verifier
    )  # fmt: skip
    query = parse_qs(urlsplit(where).query)
    assert query["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    assert query["tenant"] == ["1"]
    assert query["redirect_uri"] == ["http://127.0.0.1:1/x"]
    assert verifier not in where


@pytest.mark.parametrize(
    "more",
    [
        {"issuer": f"{ISSUER}/"},
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example/token"},
        {"jwks_uri": "file:///etc/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
        {"token_endpoint": 7},
    ],
)
def test_a_provider_that_is_another_or_not_safe_is_refused(more: dict[str, Any]) -> None:
    """Before any browser is sent there."""
    with pytest.raises(LoginError):
        provider(**more)


def test_only_algorithms_with_a_public_key_are_believed() -> None:
    """RS256 where the provider says nothing (OpenID Connect Discovery 1.0, section 3)."""
    assert provider().algorithms == ("ES256",)
    assert provider(id_token_signing_alg_values_supported=[]).algorithms == ("RS256",)


@pytest.mark.parametrize(
    ("fields", "has_iss", "accepted"),
    [
        ({"code": "c", "iss": ISSUER}, True, True),
        ({"code": "c"}, False, True),
        ({"code": "c"}, True, False),
        ({"code": "c", "iss": "https://evil.example"}, False, False),
        ({"error": "access_denied", "iss": ISSUER, "code": "c"}, True, False),
        ({"iss": ISSUER}, True, False),
        ({"iss": ISSUER, "code": "c" * 5000}, True, False),
    ],
)
def test_an_answer_is_of_this_issuer_and_has_a_code(
    fields: dict[str, str], has_iss: bool, accepted: bool
) -> None:
    """RFC 9207: a provider that says who it is must say so."""
    known = provider(authorization_response_iss_parameter_supported=has_iss)
    if accepted:
        assert openid.code(known, fields) == "c"
    else:
        with pytest.raises(LoginError):
            openid.code(known, fields)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nonce": "other"}, "another login"),
        ({"nonce": None}, "another login"),
        ({"aud": ["tipstaff", "x"]}, "another client"),
        ({"azp": "x"}, "another client"),
        ({"iat": None}, "when it was made"),
        ({"sub": ""}, "names a person"),
        ({"sub": ["ann"]}, "names a person"),
        ({"sub": "a" * 201}, "names a person"),
    ],
)
def test_claims_that_name_nobody_here_are_refused(more: dict[str, Any], message: str) -> None:
    """Each with a sentence that a person can read."""
    claims = {name: value for name, value in {**CLAIMS, **more}.items() if value is not None}
    with pytest.raises(LoginError, match=message):
        openid.person(claims, CONFIG, "n")


def test_an_address_counts_once_it_is_verified() -> None:
    """By the provider, and as the truth, not as a text."""
    config = OpenId(ISSUER, "tipstaff", claim="email")
    claims = {**CLAIMS, "email": "ann@example.org"}
    assert openid.person({**claims, "email_verified": True}, config, "n") == "ann@example.org"
    for value in (None, False, "true", 1):
        with pytest.raises(LoginError, match="mail address"):
            openid.person({**claims, "email_verified": value}, config, "n")


def test_several_audiences_need_the_party_to_be_ours() -> None:
    """OpenID Connect Core 1.0, section 3.1.3.7."""
    claims = {**CLAIMS, "aud": ["tipstaff", "x"], "azp": "tipstaff"}
    assert openid.person(claims, CONFIG, "n") == "ann"


@given(data=st.binary(max_size=200))
def test_no_bytes_of_a_provider_are_more_than_an_error(data: bytes) -> None:
    """Whatever it sends."""
    for read in (openid.id_token, lambda each: openid.provider(each, ISSUER)):
        with pytest.raises(LoginError):
            read(data)
