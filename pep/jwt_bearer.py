"""A JSON Web Token as proof of who calls (RFC 7519, RFC 9068, RFC 8725). Pure; `now` comes in.

The issuer's keys say which algorithm belongs to which key, and only asymmetric ones are known here:
so neither `none` nor a public key taken for a shared secret can be a signature. A token must name
its issuer, this audience and its end. Whatever is not proven is a `CredentialInvalid`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import jwt
import msgspec
from msgspec import Struct

from pdp.api.model import Principal
from pep.errors import CredentialInvalid

# Key type and curve of each algorithm that may be listed (RFC 7518 section 3.1, RFC 8037).
ALGORITHMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **{f"{family}{size}": ("RSA", "") for family in ("RS", "PS") for size in (256, 384, 512)},
        "ES256": ("EC", "P-256"),
        "ES384": ("EC", "P-384"),
        "ES512": ("EC", "P-521"),
        "EdDSA": ("OKP", "Ed25519"),
    }
)
MAX_BYTES = 16 * 1024
_TIMES_OFF = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
_OPTIONS: Any = {**_TIMES_OFF, "require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True}
_NAME = re.compile(r"[\x21-\x7e]{1,200}")

Keys = Mapping[tuple[str, str], jwt.PyJWK]
"""The issuer's keys by key id ("" for a key without one) and algorithm."""


class Expected(Struct, frozen=True):
    """What a token must say: its issuer, its audience, one of these algorithms."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway_seconds: int


class Proven(Struct, frozen=True):
    """Who a token proves the caller to be, and until when (seconds since the epoch)."""

    principal: Principal
    expires: float


def read_keys(data: bytes, algorithms: Iterable[str]) -> Keys:
    """The signature keys of a JWK set (RFC 7517) that fit `algorithms`; raises `ValueError`."""
    found = {}
    for one in _Set.read(data):
        for algorithm in algorithms:
            if _fits(one, algorithm):
                found[str(one.get("kid", "")), algorithm] = jwt.PyJWK(one, algorithm)
    if not found:
        raise ValueError("holds no key for the signatures that are accepted")
    return found


def key_of(token: str, keys: Keys) -> jwt.PyJWK | None:
    """The key that the token says it is signed with; `None` when it is not among `keys`.

    Raises `CredentialInvalid` when no key could be.
    """
    header = _header(token)
    algorithm, kid = str(header.get("alg")), str(header.get("kid", ""))
    if algorithm not in ALGORITHMS:
        raise CredentialInvalid("the token's algorithm is not accepted")
    if kid:
        return keys.get((kid, algorithm))
    fitting = [key for (_, one), key in keys.items() if one == algorithm]
    return fitting[0] if len(fitting) == 1 else None


def verify(token: str, key: jwt.PyJWK, expected: Expected, now: float) -> Proven:
    """Who the token proves the caller to be; raises `CredentialInvalid`."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=list(expected.algorithms),
            audience=expected.audience,
            issuer=expected.issuer,
            options=_OPTIONS,
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise CredentialInvalid(f"the token is not accepted: {_told(error)}") from error
    expires = _instant(claims, "exp")
    if now >= expires + expected.leeway_seconds:
        raise CredentialInvalid("the token has expired")
    for claim in ("nbf", "iat"):
        if claim in claims and now < _instant(claims, claim) - expected.leeway_seconds:
            raise CredentialInvalid("the token is not valid yet")
    return Proven(_principal(claims), expires + expected.leeway_seconds)


class _Set(Struct):
    keys: list[dict[str, Any]]

    @classmethod
    def read(cls, data: bytes) -> list[dict[str, Any]]:
        try:
            return msgspec.json.decode(data, type=cls).keys
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"is not a JWK set: {error}") from error


def _fits(one: Mapping[str, Any], algorithm: str) -> bool:
    kind, curve = ALGORITHMS[algorithm]
    return bool(
        one.get("kty") == kind
        and one.get("crv", "") == curve
        and one.get("alg", algorithm) == algorithm
        and one.get("use", "sig") == "sig"
    )


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_BYTES:
        raise CredentialInvalid("the token is too long")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise CredentialInvalid("this is no token of a kind that is accepted") from error
    return header


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise CredentialInvalid(f"the token's {name} is not a time")
    return float(value)


def _principal(claims: Mapping[str, Any]) -> Principal:
    """`sub`, else `client_id`: the two cannot be taken for each other."""
    for claim, prefix in (("sub", "jwt:"), ("client_id", "jwt-client:")):
        name = claims.get(claim)
        if name is not None:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise CredentialInvalid(f"the token's {claim} cannot be a name")
            return Principal(prefix + name, "jwt", msgspec.json.encode(claims))
    raise CredentialInvalid("the token names neither sub nor client_id")


def _told(error: Exception) -> str:
    """What the caller may know: the kind of fault, and nothing that was in the token."""
    kinds = {
        jwt.InvalidAudienceError: "it is for another audience",
        jwt.InvalidIssuerError: "it is of another issuer",
        jwt.MissingRequiredClaimError: "it lacks a claim among exp, iss and aud",
        jwt.InvalidAlgorithmError: "its algorithm does not belong to its key",
        jwt.InvalidSignatureError: "its signature is wrong",
    }
    return next((text for kind, text in kinds.items() if isinstance(error, kind)), "malformed")
