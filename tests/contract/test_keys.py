"""The issuer's keys over HTTP: fetched when needed, renewed, and never asked for too often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pep.errors import KeysAway
from pep.keys import IssuerKeys
from tests.jwts import Issuer
from tests.proxy_rig import asgi_upstream, free_port

ALGORITHMS = ("ES256",)


class KeyServer:
    """Serves a key set, or something else."""

    def __init__(self) -> None:
        self.status, self.body = 200, Issuer("ES256").jwks().encode()
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.asked += 1
        headers = [(b"location", b"http://127.0.0.1:1/")] if self.status == 302 else []
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    def __init__(self, url: str, server: KeyServer) -> None:
        self.server = server
        self.clock = Seconds()
        self.keys = IssuerKeys(url, ALGORITHMS, self.clock)

    async def kids(self, *, is_missing: bool = False) -> set[str]:
        return {kid for kid, _ in await self.keys.current(is_missing=is_missing)}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    server = KeyServer()
    async with asgi_upstream(server) as url:
        yield Rig(url, server)


async def test_keys_are_fetched_once_and_again_after_ten_minutes(rig: Rig) -> None:
    """The version tells whoever has kept something."""
    assert await rig.kids() == await rig.kids() == {"k1"}
    assert (rig.server.asked, rig.keys.version) == (1, 1)
    rig.clock.now += 600
    await rig.kids()
    assert (rig.server.asked, rig.keys.version) == (2, 2)


async def test_a_key_that_is_missing_is_looked_for_but_not_by_every_forger(rig: Rig) -> None:
    """Once in half a minute."""
    await rig.kids()
    rig.server.body = Issuer("ES256", "k2").jwks().encode()
    assert await rig.kids(is_missing=True) == {"k1"}
    rig.clock.now += 30
    for _ in range(5):
        assert await rig.kids(is_missing=True) == {"k2"}
    assert rig.server.asked == 2


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b"{}"), (302, b""), (200, b" " * (1024 * 1024 + 1))]
)
async def test_keys_that_cannot_be_renewed_serve_an_hour_and_no_longer(
    rig: Rig, status: int, body: bytes
) -> None:
    """Redirects are not followed, and nothing without end is read."""
    await rig.kids()
    rig.server.status, rig.server.body = status, body
    rig.clock.now += 3600
    assert await rig.kids() == {"k1"}
    rig.clock.now += 31
    with pytest.raises(KeysAway):
        await rig.kids()


async def test_an_issuer_that_was_never_reached_lets_nobody_in() -> None:
    """It is asked again later."""
    rig = Rig(f"http://127.0.0.1:{free_port()}/", KeyServer())
    for _ in range(2):
        with pytest.raises(KeysAway):
            await rig.kids()
