"""Authentication: finds the credential in a request and verifies it. Edge: files.

The first credential in a request decides: a request with an invalid token is refused, also by a
server that accepts requests without one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct

from pdp.api.model import Principal
from pep.callers import api_token
from pep.callers.jwks import IssuerKeys
from pep.callers.session import anonymous
from pep.config import PepConfig, Server
from pep.errors import CredentialInvalid, CredentialMissing, KeysAway

if TYPE_CHECKING:
    from pep.callers.jwt_bearer import Proven

_MAX_PROVEN = 10_000
CERTIFICATE_KEY = "tipstaff.certificate"

log = structlog.get_logger("pep.callers")


class _Known(Struct, frozen=True):
    """A verified token, with the version of the keys and the audience that it was verified for."""

    version: int
    audience: str
    proven: Proven


class Callers:
    """Authenticates the callers of all servers."""

    def __init__(
        self, config: PepConfig, wall: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        """`wall` returns seconds since the epoch, `clock` seconds that never go back."""
        self._config = config
        self._wall = wall
        self._clock = clock
        self._keys = IssuerKeys(config.jwt.jwks, config.jwt.algorithms, clock)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._tokens = _TokensOnDisk(config.tokens)
        self._left: list[IssuerKeys] = []

    def take_over(self, config: PepConfig) -> None:
        """Use `config` from now on: tokens that another `[jwt]` accepted are verified again."""
        if config.jwt != self._config.jwt:
            self._left.append(self._keys)
            self._keys = IssuerKeys(config.jwt.jwks, config.jwt.algorithms, self._clock)
            self._known.clear()
        if config.tokens != self._config.tokens:
            self._tokens = _TokensOnDisk(config.tokens)
        self._config = config

    async def principal(self, server: Server, scope: dict[str, Any], credential: str) -> Principal:
        """The principal of the request; raises `CredentialMissing`, `CredentialInvalid` or `KeysAway`."""
        accepted = self._config.accepted(server)
        if credential and ("jwt" in accepted or "token" in accepted):
            return await self._bearer(server, accepted, credential)
        if "mtls" in accepted and (certificate := scope.get(CERTIFICATE_KEY)):
            return Principal(f"mtls:{certificate}", "mtls")
        if "anonymous" in accepted:
            peer = scope.get("client")
            return anonymous(peer[0] if peer else None)
        raise CredentialMissing("Authentication is required")

    async def close(self) -> None:
        """End the requests to issuers."""
        for keys in (*self._left, self._keys):
            await keys.close()

    async def _bearer(
        self, server: Server, accepted: tuple[str, ...], credential: str
    ) -> Principal:
        scheme, _, token = credential.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise CredentialInvalid("the Authorization header is not `Bearer` and a token")
        token = token.strip()
        if token.startswith(api_token.PREFIX):
            if "token" not in accepted:
                raise CredentialInvalid("tokens of this kind are not accepted here")
            return api_token.verify(token, self._tokens.current(), self._wall())
        if "jwt" not in accepted:
            raise CredentialInvalid("tokens of this kind are not accepted here")
        return await self._jwt(token, self._config.audience(server))

    async def _jwt(self, token: str, audience: str) -> Principal:
        """Verify a JWT, unless it was verified before with the same keys."""
        # Loads cryptography, which most proxies never need.
        from pep.callers import jwt_bearer  # noqa: PLC0415
        from tipstaff.common.signed_token import Expected  # noqa: PLC0415

        digest, now = hashlib.sha256(token.encode()).digest(), self._wall()
        keys = await self._keys.current()
        known = self._known.get(digest)
        if known and known.version == self._keys.version and known.audience == audience:
            if now >= known.proven.expires:
                raise CredentialInvalid("the token has expired")
            return known.proven.principal
        key = jwt_bearer.key_of(token, keys)
        if key is None:
            key = jwt_bearer.key_of(token, await self._keys.current(is_missing=True))
        if key is None:
            raise CredentialInvalid("the token is signed with a key that is not known")
        rules = self._config.jwt
        expected = Expected(rules.issuer, audience, rules.algorithms, rules.leeway_seconds)
        proven = jwt_bearer.verify(token, key, expected, now)
        self._known[digest] = _Known(self._keys.version, audience, proven)
        if len(self._known) > _MAX_PROVEN:
            self._known.popitem(last=False)
        return proven.principal


class _TokensOnDisk:
    """The file of tokens, read again when it changes: a token that is revoked is refused at once."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._stamp: tuple[int, int, int] | None = None
        self._entries: dict[str, api_token.Entry] = {}

    def current(self) -> dict[str, api_token.Entry]:
        """The tokens by their digest; raises `KeysAway` when the file cannot be read."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._entries = api_token.read(self._path.read_bytes()).by_digest()
                self._stamp = stamp
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.error("tokens cannot be read", path=str(self._path), error=str(error))
            raise KeysAway("The tokens of callers cannot be read") from error
        return self._entries
