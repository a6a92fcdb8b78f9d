"""Tipstaff's own API tokens: for callers without an identity provider. Pure.

A token is 256 random bits, shown once when it is made. The file keeps its SHA-256 only, which is
enough for a secret that nobody can guess. Several tokens may have one name, so that a token can be
replaced without a gap; the name is the principal.
"""

from __future__ import annotations

import base64
import hashlib
import re

import msgspec
from msgspec import Struct, structs

from pdp.api.model import Principal
from pep.errors import CredentialInvalid

PREFIX = "tipstaff_"
BYTES = 32
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The stored entry of a token. Times are seconds since the epoch; 0 is never."""

    id: str
    name: str
    sha256: str
    created: int
    expires: int = 0
    revoked: int = 0

    def state(self, now: float) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and now >= self.expires else "active"


class TokenFile(Struct, frozen=True, forbid_unknown_fields=True):
    """All tokens."""

    tokens: tuple[Entry, ...] = ()

    def by_digest(self) -> dict[str, Entry]:
        """The entries by the token's digest, for look-up."""
        return {entry.sha256: entry for entry in self.tokens}


def read(data: bytes) -> TokenFile:
    """Read the file; raises `ValueError`."""
    try:
        return msgspec.json.decode(data, type=TokenFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"is not a file of tokens: {error}") from error


def write(tokens: TokenFile) -> bytes:
    """The file, one token a line."""
    return msgspec.json.format(msgspec.json.encode(tokens), indent=1) + b"\n"


def make(secret: bytes, name: str, now: int, expires: int = 0) -> tuple[str, Entry]:
    """Make a token: its text, to be shown once, and its entry; raises `ValueError`."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a caller: use a-z, 0-9, `.`, `_` and `-`, at most 63"
        )
    token = PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")
    digest = _digest(token)
    return token, Entry(digest[:8], name, digest, now, expires)


def revoke(tokens: TokenFile, which: str, now: int) -> tuple[TokenFile, int]:
    """The file with every token of that name or id revoked, and how many were."""
    entries, changed = [], 0
    for entry in tokens.tokens:
        is_meant = which in (entry.name, entry.id) and not entry.revoked
        entries.append(structs.replace(entry, revoked=now) if is_meant else entry)
        changed += is_meant
    return TokenFile(tuple(entries)), changed


def verify(token: str, entries: dict[str, Entry], now: float) -> Principal:
    """The principal that the token proves; raises `CredentialInvalid`."""
    entry = entries.get(_digest(token))
    if entry is None:
        raise CredentialInvalid("the token is not known")
    state = entry.state(now)
    if state != "active":
        raise CredentialInvalid(f"the token is {state}")
    return Principal(f"token:{entry.name}", "token")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
