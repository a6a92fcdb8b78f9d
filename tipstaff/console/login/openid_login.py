"""The two requests by which a browser logs in at an identity provider: out, and back. Edge."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from tipstaff.console import requests
from tipstaff.console.asgi import Reply
from tipstaff.console.config import OpenId
from tipstaff.console.login import openid
from tipstaff.console.login.openid import ATTEMPT_SECONDS, RETURN_PATH, Attempts
from tipstaff.console.requests import Heads

START_PATH = "/login/openid"
COOKIE = "tipstaff-console-login"


class OpenIdLogin:
    """Logins by one provider."""

    def __init__(
        self, config: OpenId, port: int, steady: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """None has begun; `port` is the console's."""
        # A console without a provider does without what this loads.
        from tipstaff.console.login.openid_client import OpenIdClient

        self._config = config
        self._redirect = f"http://127.0.0.1:{port}{RETURN_PATH}"
        self._steady, self._wall = steady, wall
        self._client = OpenIdClient(config, steady)
        self._attempts = Attempts()

    async def start(self) -> Reply:
        """Send the browser to the provider; raises `LoginError`."""
        known = await self._client.provider()
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        self._attempts.begin(state, browser, nonce, verifier, self._steady())
        where = openid.address(
            known, self._config,
            redirect=self._redirect, state=state, nonce=nonce, verifier=verifier,
        )  # fmt: skip
        return Reply(303, lines=((b"location", where.encode("ascii")), cookie(browser)))

    async def finish(self, request: Heads, fields: Mapping[str, str]) -> str:
        """The person whom the provider has sent back; raises `LoginError`."""
        browser = requests.cookie(request, COOKIE)
        attempt = self._attempts.end(fields.get("state", ""), browser, self._steady())
        known = await self._client.provider()
        claims = await self._client.claims(
            known, openid.code(known, fields),
            verifier=attempt.verifier, redirect=self._redirect, now=self._wall(),
        )  # fmt: skip
        return openid.person(claims, self._config, attempt.nonce)


def cookie(secret: str, age: int = ATTEMPT_SECONDS) -> tuple[bytes, bytes]:
    """The cookie of an attempt. Lax: the browser comes back from the provider's site."""
    text = f"{COOKIE}={secret}; Path={START_PATH}; HttpOnly; SameSite=Lax; Max-Age={age}"
    return b"set-cookie", text.encode()
