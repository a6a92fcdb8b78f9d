"""Asks an identity provider: what it says of itself, who stands behind a code, its keys. Edge: HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import structlog

from tipstaff.common import fetching, signed_token
from tipstaff.common.signed_token import Expected, TokenError
from tipstaff.console.config import OpenId
from tipstaff.console.login import openid
from tipstaff.console.login.openid import LoginError, Provider

_SECONDS = 5.0
_KNOWN_SECONDS = 600.0
_LEEWAY_SECONDS = 60
_AWAY = "The identity provider gives no answer that can be used: the log says more. Try again."

log = structlog.get_logger("tipstaff.console")


class OpenIdClient:
    """One provider, and this console as its client."""

    def __init__(self, config: OpenId, steady: Callable[[], float]) -> None:
        """Nothing is asked yet; `steady` counts seconds, never back."""
        self._config = config
        self._steady = steady
        self._provider: Provider | None = None
        self._known_at = 0.0

    async def provider(self) -> Provider:
        """What the provider says of itself, at most ten minutes ago; raises `LoginError`."""
        if self._provider is None or self._steady() - self._known_at > _KNOWN_SECONDS:
            url = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
            data = await self._reply("discovery", fetching.get(url, _SECONDS))
            self._provider = openid.provider(data, self._config.issuer)
            self._known_at = self._steady()
        return self._provider

    async def claims(
        self, known: Provider, code: str, *, verifier: str, redirect: str, now: float
    ) -> dict[str, Any]:
        """The claims of the ID token that `code` stands for, verified; raises `LoginError`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": self._config.client_id,
        }
        secret, auth = self._config.client_secret, None
        if secret and "client_secret_basic" in known.token_endpoint_auth_methods_supported:
            auth = (self._config.client_id, secret)
        elif secret:
            form["client_secret"] = secret
        asking = fetching.post(known.token_endpoint, _SECONDS, form, auth)
        token = openid.id_token(await self._reply("token", asking))
        # Keys are asked for at each login: nobody comes here without a code that the provider has taken.
        data = await self._reply("keys", fetching.get(known.jwks_uri, _SECONDS))
        expected = Expected(known.issuer, self._config.client_id, known.algorithms, _LEEWAY_SECONDS)
        try:
            keys = signed_token.read_keys(data, known.algorithms).keys
            key = signed_token.key_of(token, keys)
            if key is None:
                raise TokenError("the token is signed with a key that is not known")
            return signed_token.claims_of(token, key, expected, now)
        except (TokenError, ValueError) as error:
            log.warning("id token refused", error=str(error))
            raise LoginError("The provider's ID token cannot be believed.") from error

    async def _reply(self, what: str, asking: Any) -> bytes:
        try:
            async with asyncio.timeout(_SECONDS):
                data: bytes = await asking
                return data
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError) as error:
            log.warning("identity provider away", question=what, error=_kind(error))
            raise LoginError(_AWAY) from error


def _kind(error: Exception) -> str:
    """What went wrong, without what was sent or received."""
    is_ours = isinstance(error, ValueError) and not isinstance(error, httpx.HTTPError)
    return str(error) if is_ours else type(error).__name__
