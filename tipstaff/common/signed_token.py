"""A signed JSON Web Token, and the keys by which an issuer signs (RFC 7515, RFC 7517, RFC 7519, RFC 8725). Pure; `now` comes in.

The issuer's keys say which algorithm belongs to which key, and only asymmetric ones are known here:
so neither `none` nor a public key taken for a shared secret can be a signature. A token must name
its issuer, this audience and its end. Whatever is not proven is a `TokenError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from msgspec import Struct

from tipstaff.common.jwt_algorithms import JWT_ALGORITHMS

MAX_BYTES = 16 * 1024
_MAX_KEYS = 64
_MAX_KID = 512
_MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
# In characters of base64: 8192 bits of modulus, 64 of exponent, any curve; a larger key only takes time.
_MAX_MEMBERS = MappingProxyType({"n": 1366, "e": 11, "x": 100, "y": 100})
# The exceptions that making a key of an issuer's entry may raise.
_UNUSABLE = (
    jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError, KeyError,
    OverflowError,
)  # fmt: skip
_TIMES_OFF = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
_OPTIONS: Any = {**_TIMES_OFF, "require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True}


class TokenError(Exception):
    """A token proves nothing; the message may be shown to who brought it."""


KeysById = Mapping[tuple[str, str], jwt.PyJWK]
"""The issuer's keys by key id ("" for a key without one) and algorithm."""


class KeySet(Struct, frozen=True):
    """An issuer's key set: the usable keys, and the fault of each of the others."""

    keys: KeysById
    passed_over: tuple[str, ...] = ()


class Expected(Struct, frozen=True):
    """The issuer, the audience and the algorithms that are accepted in a token."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway_seconds: int


def read_keys(data: bytes, algorithms: Iterable[str]) -> KeySet:
    """The signature keys of a JWK set that fit `algorithms`; raises `ValueError` when none does.

    A key that cannot be used is passed over, whatever its fault (RFC 7517 section 5): an
    issuer may add a key of a new kind at any time, and the others go on verifying.
    """
    keys: dict[tuple[str, str], jwt.PyJWK] = {}
    passed_over = []
    for index, entry in enumerate(_entries(data)):
        try:
            if index >= _MAX_KEYS:
                raise ValueError(f"more than {_MAX_KEYS} keys")
            usable = _usable(entry, algorithms)
            if usable.keys() & keys.keys():
                raise ValueError("a second key of its id")
            keys.update(usable)
        except _UNUSABLE as error:
            passed_over.append(f"{_name(entry, index)}: {error}"[:200])
    if not keys:
        raise ValueError("holds no key for the signatures that are accepted")
    return KeySet(keys, tuple(passed_over[:_MAX_KEYS]))


def key_of(token: str, keys: KeysById) -> jwt.PyJWK | None:
    """The key that the token says it is signed with; `None` when it is not among `keys`.

    Raises `TokenError` when no key could be.
    """
    header = _header(token)
    algorithm, kid = str(header.get("alg")), str(header.get("kid", ""))
    if algorithm not in JWT_ALGORITHMS:
        raise TokenError("the token's algorithm is not accepted")
    if kid:
        return keys.get((kid, algorithm))
    fitting = [key for (_, key_algorithm), key in keys.items() if key_algorithm == algorithm]
    return fitting[0] if len(fitting) == 1 else None


def claims_of(token: str, key: jwt.PyJWK, expected: Expected, now: float) -> dict[str, Any]:
    """The claims that the token proves; raises `TokenError`."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(expected.algorithms),
            audience=expected.audience,
            issuer=expected.issuer,
            options=_OPTIONS,
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenError(f"the token is not accepted: {_known_to_caller(error)}") from error
    if now >= instant(claims, "exp") + expected.leeway_seconds:
        raise TokenError("the token has expired")
    for claim in ("nbf", "iat"):
        if claim in claims and now < instant(claims, claim) - expected.leeway_seconds:
            raise TokenError("the token is not valid yet")
    return claims


class _Set(Struct):
    keys: list[Any]


def _entries(data: bytes) -> list[Any]:
    try:
        return msgspec.json.decode(data, type=_Set).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"is not a JWK set: {error}") from error


def _usable(entry: Any, algorithms: Iterable[str]) -> dict[tuple[str, str], jwt.PyJWK]:
    """The key under each algorithm that it fits; raises one of `_UNUSABLE` when it cannot be used here."""
    if not isinstance(entry, dict):
        raise TypeError("not an object")
    kid, operations = entry.get("kid", ""), entry.get("key_ops", ["verify"])
    if not isinstance(kid, str) or len(kid) > _MAX_KID:
        raise ValueError("its id is no name")
    if "d" in entry or "k" in entry:
        raise ValueError("a secret key")
    if entry.get("use", "sig") != "sig" or "verify" not in operations:
        raise ValueError("not for signatures")
    fitting = [algorithm for algorithm in algorithms if _fits(entry, algorithm)]
    if not fitting:
        raise ValueError("for none of the algorithms that are accepted")
    for member, most in _MAX_MEMBERS.items():
        if len(entry.get(member, "")) > most:
            raise ValueError(f"its {member} is too long")
    usable = {(kid, algorithm): jwt.PyJWK(entry, algorithm) for algorithm in fitting}
    if entry["kty"] == "RSA" and any(key.key.key_size < _MIN_RSA_BITS for key in usable.values()):
        raise ValueError(f"has fewer than {_MIN_RSA_BITS} bits")
    return usable


def _name(entry: Any, index: int) -> str:
    kid = entry.get("kid") if isinstance(entry, dict) else None
    return repr(kid[:_MAX_KID]) if isinstance(kid, str) else f"number {index}"


def _fits(entry: Mapping[str, Any], algorithm: str) -> bool:
    kind, curve = JWT_ALGORITHMS[algorithm]
    return bool(
        entry.get("kty") == kind
        and entry.get("crv", "") == curve
        and entry.get("alg", algorithm) == algorithm
    )


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_BYTES:
        raise TokenError("the token is too long")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenError("this is no token of a kind that is accepted") from error
    return header


def instant(claims: Mapping[str, Any], name: str) -> float:
    """A claim that is a time, in seconds since the epoch; raises `TokenError`."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TokenError(f"the token's {name} is not a time")
    return float(value)


def _known_to_caller(error: Exception) -> str:
    """The part of the fault that the caller may see: its kind, and nothing that was in the token."""
    kinds = {
        jwt.InvalidAudienceError: "it is for another audience",
        jwt.InvalidIssuerError: "it is of another issuer",
        jwt.MissingRequiredClaimError: "it lacks a claim among exp, iss and aud",
        jwt.InvalidAlgorithmError: "its algorithm does not belong to its key",
        jwt.InvalidSignatureError: "its signature is wrong",
    }
    return next((text for kind, text in kinds.items() if isinstance(error, kind)), "malformed")
