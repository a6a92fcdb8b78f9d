"""The server that hands OPA its bundle: only to who shows the token, at once when it changes, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from pdp.policy.bundle_server import BundleServer

OWN = {"Authorization": "Bearer secret"}


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[BundleServer, str]]:
    server = BundleServer("secret")
    url = await server.start()
    try:
        yield server, url
    finally:
        await server.stop()
        await asyncio.sleep(0.01)  # both sides close


async def test_the_bundle_is_for_who_shows_the_token() -> None:
    """Over one connection after the other request."""
    async with serving() as (server, url), httpx.AsyncClient(base_url=url) as client:
        await server.publish("r1", b"bundle")
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "secret"}):
            refused = await client.get("/policy.tar.gz", headers=headers)
            assert (refused.status_code, refused.content) == (401, b"")
        answer = await client.get("/policy.tar.gz", headers=OWN)
        assert (answer.status_code, answer.content) == (200, b"bundle")
        assert answer.headers["etag"] == '"r1"'
        assert answer.headers["content-type"] == "application/vnd.openpolicyagent.bundles"


async def test_who_has_it_waits_for_the_next_one() -> None:
    """As long as it is ready to; without that it is told at once that there is none."""
    async with serving() as (server, url), httpx.AsyncClient(base_url=url, timeout=10) as client:
        await server.publish("r1", b"one")
        known = {**OWN, "If-None-Match": '"r1"'}
        assert (await client.get("/policy.tar.gz", headers=known)).status_code == 304
        waiting = asyncio.ensure_future(
            client.get("/policy.tar.gz", headers={**known, "Prefer": "wait=10"})
        )
        await asyncio.sleep(0.1)
        assert not waiting.done()
        began = time.monotonic()
        await server.publish("r2", b"two")
        assert (await waiting).content == b"two"
        assert time.monotonic() - began < 2


async def test_a_status_is_taken_and_anything_else_is_not_there() -> None:
    """OPA may push its status; it is polled, and need not be read."""
    async with serving() as (_, url), httpx.AsyncClient(base_url=url, headers=OWN) as client:
        assert (await client.post("/status", content=b"x" * 100_000)).status_code == 200
        for method, path in (("GET", "/"), ("PUT", "/policy.tar.gz"), ("GET", "/policy.tar.gz?x")):
            assert (await client.request(method, path)).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /policy.tar.gz HTTP/1.1\r\nno line\r\n\r\n",
        b"GET /policy.tar.gz HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        b"GET /policy.tar.gz HTTP/1.1\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
        b"POST /status HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /status HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_opa_does_not_write_ends_the_connection(sent: bytes) -> None:
    """Without the bundle."""
    async with serving() as (server, url):
        await server.publish("r1", b"the bundle")
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"the bundle" not in answer
        assert not answer.startswith(b"HTTP/1.1 2")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_stop_ends_who_waits() -> None:
    """And takes no time."""
    async with serving() as (server, url), httpx.AsyncClient(base_url=url, timeout=10) as client:
        await server.publish("r1", b"one")
        waiting = asyncio.ensure_future(
            client.get(
                "/policy.tar.gz", headers={**OWN, "If-None-Match": '"r1"', "Prefer": "wait=30"}
            )
        )
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await server.stop()
        with pytest.raises(httpx.HTTPError):
            await waiting
        assert time.monotonic() - began < 1
