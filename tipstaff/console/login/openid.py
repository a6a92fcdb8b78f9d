"""Login by OpenID Connect: authorization code flow with PKCE, state and nonce. Pure.

Sources: OpenID Connect Core 1.0, OpenID Connect Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer of a response),
RFC 9700 (best current practice). `state` belongs to one attempt of one browser, by a cookie that the attempt set:
so nobody can make another person's browser finish an attempt that they began.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tipstaff.common.jwt_algorithms import JWT_ALGORITHMS
from tipstaff.console.config import OpenId, is_safe
from tipstaff.console.sessions import digest, is_secret

RETURN_PATH = "/login/openid/return"
ATTEMPT_SECONDS = 10 * 60
MOST_ATTEMPTS = 1000
_NAME = re.compile(r"[^\x00-\x20\x7f]{1,200}")


class LoginError(Exception):
    """Nobody is logged in; the message says why, and holds nothing that the provider or the browser sent."""


class Provider(Struct, frozen=True):
    """What an identity provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms by which it signs, of those that are believed."""
        named = self.id_token_signing_alg_values_supported or ("RS256",)
        return tuple(name for name in named if name in JWT_ALGORITHMS)


class Attempt(Struct, frozen=True):
    """A login that has begun: what its end must fit. Only digests of what the browser shows are kept."""

    browser: str
    nonce: str
    verifier: str
    expires: float


class Attempts:
    """Logins that have begun, by the digest of their state; each ends once."""

    def __init__(self) -> None:
        """None has begun."""
        self._attempts: dict[str, Attempt] = {}

    def begin(self, state: str, browser: str, nonce: str, verifier: str, now: float) -> None:
        """Begin one: `state` goes to the provider, `browser` into a cookie; `now` counts seconds."""
        for key in [key for key, attempt in self._attempts.items() if attempt.expires <= now]:
            del self._attempts[key]
        if len(self._attempts) >= MOST_ATTEMPTS:
            del self._attempts[next(iter(self._attempts))]
        expires = now + ATTEMPT_SECONDS
        self._attempts[digest(state)] = Attempt(digest(browser), nonce, verifier, expires)

    def end(self, state: str, browser: str, now: float) -> Attempt:
        """End the one of this state, whatever comes of it; raises `LoginError`."""
        attempt = self._attempts.pop(digest(state), None) if is_secret(state) else None
        if attempt is None or attempt.expires <= now:
            raise LoginError("This login was not begun here, or too long ago: begin again.")
        if not hmac.compare_digest(attempt.browser, digest(browser)):
            raise LoginError("This login was begun in another browser.")
        return attempt


def provider(data: bytes, issuer: str) -> Provider:
    """What a discovery document says; raises `LoginError` for one of another issuer, or that is not safe."""
    try:
        known = msgspec.json.decode(data, type=Provider)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LoginError("The provider's discovery document cannot be read.") from error
    if known.issuer != issuer:
        raise LoginError("The provider's discovery document is of another issuer.")
    if not all(map(is_safe, (known.authorization_endpoint, known.token_endpoint, known.jwks_uri))):
        raise LoginError("The provider has an address that others can read.")
    if not known.algorithms:
        raise LoginError("The provider signs by nothing that is believed here.")
    return known


def address(
    known: Provider, config: OpenId, *, redirect: str, state: str, nonce: str, verifier: str
) -> str:
    """Where the browser is sent to log in."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    query = {
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": redirect,
        "scope": config.scope,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
    }
    separator = "&" if "?" in known.authorization_endpoint else "?"
    return f"{known.authorization_endpoint}{separator}{urlencode(query)}"


def code(known: Provider, fields: Mapping[str, str]) -> str:
    """The code that the provider sends back by the browser; raises `LoginError`."""
    sender = fields.get("iss", "")
    if sender != known.issuer and (sender or known.authorization_response_iss_parameter_supported):
        raise LoginError("This answer is of another issuer.")
    if "error" in fields:
        raise LoginError("The provider has not logged you in.")
    value = fields.get("code", "")
    if not value or len(value) > 4096:
        raise LoginError("The provider's answer has no code in it.")
    return value


def id_token(data: bytes) -> str:
    """The ID token of a token response; raises `LoginError`."""
    try:
        return msgspec.json.decode(data, type=_Tokens).id_token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LoginError("The provider has sent no ID token.") from error


def person(claims: Mapping[str, Any], config: OpenId, nonce: str) -> str:
    """Whom the claims of an ID token name, which has been verified; raises `LoginError`."""
    named = claims.get("nonce")
    if not isinstance(named, str) or not hmac.compare_digest(named.encode(), nonce.encode()):
        raise LoginError("The ID token belongs to another login.")
    audience = claims.get("aud")
    is_shared = isinstance(audience, list) and len(audience) > 1
    if claims.get("azp", None if is_shared else config.client_id) != config.client_id:
        raise LoginError("The ID token was made for another client.")
    if "iat" not in claims:
        raise LoginError("The ID token does not say when it was made.")
    if config.claim == "email" and claims.get("email_verified") is not True:
        raise LoginError("The provider has not verified your mail address.")
    name = claims.get(config.claim)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise LoginError(f"The ID token has no {config.claim} that names a person.")
    return name


class _Tokens(Struct):
    id_token: str
