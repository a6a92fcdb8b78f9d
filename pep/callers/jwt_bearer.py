"""A JSON Web Token as proof of who calls (RFC 9068). Pure; `now` comes in.

Whatever is not proven is a `CredentialInvalid`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from pdp.api.model import Principal
from pep.errors import CredentialInvalid
from tipstaff.common import signed_token
from tipstaff.common.signed_token import Expected, KeysById, TokenError

if TYPE_CHECKING:
    import jwt

_NAME = re.compile(r"[\x21-\x7e]{1,200}")


class Proven(Struct, frozen=True):
    """The principal that a token proves, and until when (seconds since the epoch)."""

    principal: Principal
    expires: float


def key_of(token: str, keys: KeysById) -> jwt.PyJWK | None:
    """The key that the token says it is signed with; `None` when it is not among `keys`.

    Raises `CredentialInvalid` when no key could be.
    """
    try:
        return signed_token.key_of(token, keys)
    except TokenError as error:
        raise CredentialInvalid(str(error)) from error


def verify(token: str, key: jwt.PyJWK, expected: Expected, now: float) -> Proven:
    """The principal that the token proves; raises `CredentialInvalid`."""
    try:
        claims = signed_token.claims_of(token, key, expected, now)
        expires = signed_token.instant(claims, "exp")
    except TokenError as error:
        raise CredentialInvalid(str(error)) from error
    return Proven(_principal(claims), expires + expected.leeway_seconds)


def _principal(claims: Mapping[str, Any]) -> Principal:
    """`sub`, else `client_id`: the two cannot be taken for each other."""
    for claim, prefix in (("sub", "jwt:"), ("client_id", "jwt-client:")):
        name = claims.get(claim)
        if name is not None:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise CredentialInvalid(f"the token's {claim} cannot be a name")
            return Principal(prefix + name, "jwt", msgspec.json.encode(claims))
    raise CredentialInvalid("the token names neither sub nor client_id")
