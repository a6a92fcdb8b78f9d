"""The issuer's keys over HTTP: fetched when needed, renewed, and never asked for too often."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from pep.callers.jwks import DEADLINE_SECONDS, IssuerKeys
from pep.errors import KeysAway
from tests.jwts import Issuer
from tests.proxy_rig import asgi_upstream, free_port
from tipstaff.common.fetching import get

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

    async def asked(self, times: int) -> None:
        """Wait until the issuer was asked so often, and has answered."""
        async with asyncio.timeout(5):
            while self.server.asked < times or self.keys.is_asking:
                await asyncio.sleep(0.01)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    server = KeyServer()
    async with asgi_upstream(server) as url:
        rig = Rig(url, server)
        yield rig
        await rig.keys.close()


async def test_keys_are_fetched_once_and_again_after_ten_minutes(rig: Rig) -> None:
    """The version tells whoever has kept something."""
    assert await rig.kids() == await rig.kids() == {"k1"}
    assert (rig.server.asked, rig.keys.version) == (1, 1)
    rig.clock.now += 600
    await rig.kids()
    await rig.asked(2)
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


class Script:
    """An issuer that answers when it is told to; `held` are the requests that wait."""

    def __init__(self) -> None:
        self.held: list[asyncio.Future[bytes]] = []

    async def __call__(self, url: str) -> bytes:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.held.append(future)
        return await future

    async def answer(self, data: bytes | Exception, number: int) -> None:
        """Answer the request of that number, which is the last, once it has come."""
        async with asyncio.timeout(5):
            while len(self.held) < number:
                await asyncio.sleep(0)
        assert len(self.held) == number
        if isinstance(data, Exception):
            self.held[-1].set_exception(data)
        else:
            self.held[-1].set_result(data)


def scripted() -> tuple[IssuerKeys, Script, Seconds]:
    script, clock = Script(), Seconds()
    return IssuerKeys("https://login.example/jwks", ALGORITHMS, clock, script), script, clock


OLD, NEW = Issuer("ES256").jwks().encode(), Issuer("ES256", "k2").jwks().encode()


async def test_all_who_come_first_wait_for_one_answer() -> None:
    """Together; one of them who leaves does not take it from the others."""
    keys, script, _ = scripted()
    waiting = [asyncio.ensure_future(keys.current()) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await script.answer(OLD, 1)
    found = await asyncio.gather(*waiting[1:])
    assert len(script.held) == 1
    assert all(("k1", "ES256") in one for one in found)


async def test_callers_whose_key_is_known_never_wait_for_the_issuer() -> None:
    """Neither for a renewal nor for the key that another caller misses, nor for a flood of those."""
    keys, script, clock = scripted()
    first = asyncio.ensure_future(keys.current())
    await script.answer(OLD, 1)
    await first
    clock.now += 601
    async with asyncio.timeout(1):
        assert ("k1", "ES256") in await keys.current()
        forgers = [asyncio.ensure_future(keys.current(is_missing=True)) for _ in range(1000)]
        await asyncio.sleep(0)
        for _ in range(100):
            assert ("k1", "ES256") in await keys.current()
    assert not any(one.done() for one in forgers)
    await script.answer(NEW, 2)
    assert all(("k2", "ES256") in one for one in await asyncio.gather(*forgers))
    assert len(script.held) == 2


async def test_who_misses_a_key_just_after_it_was_looked_for_is_told_at_once() -> None:
    """Half a minute long, nobody is made to wait for a key that somebody made up."""
    keys, script, clock = scripted()
    first = asyncio.ensure_future(keys.current())
    await script.answer(OLD, 1)
    await first
    clock.now += 31
    forger = asyncio.ensure_future(keys.current(is_missing=True))
    await script.answer(OLD, 2)
    await forger
    async with asyncio.timeout(1):
        for _ in range(100):
            await keys.current(is_missing=True)
    assert len(script.held) == 2


@pytest.mark.parametrize(
    "fault", [ValueError("no"), httpx.ReadError("gone"), OSError("no route"), RuntimeError("odd")]
)
async def test_whatever_goes_wrong_with_the_issuer_the_old_keys_go_on(fault: Exception) -> None:
    """For an hour; it is logged once, and asked again."""
    keys, script, clock = scripted()
    first = asyncio.ensure_future(keys.current())
    await script.answer(OLD, 1)
    await first
    with capture_logs() as logs:
        for asked in (2, 3):
            clock.now += 601
            assert ("k1", "ES256") in await keys.current()
            await script.answer(fault, asked)
            while keys.is_asking:
                await asyncio.sleep(0)
    assert [one["event"] for one in logs] == ["keys cannot be fetched"]


async def test_an_answer_that_never_comes_ends_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All who wait for it are told together that there are no keys."""
    monkeypatch.setattr("pep.callers.jwks.DEADLINE_SECONDS", 0.2)
    keys, _, _ = scripted()
    begun = time.monotonic()
    found = await asyncio.gather(*(keys.current() for _ in range(100)), return_exceptions=True)
    assert time.monotonic() - begun < 2
    assert {type(one) for one in found} == {KeysAway}


async def test_a_key_that_is_passed_over_is_logged_once(rig: Rig) -> None:
    """And the rest of the set is used."""
    good = Issuer("ES256").jwk()
    rig.server.body = json.dumps({"keys": [{**good, "kid": "bad", "x": "AAAA"}, good]}).encode()
    with capture_logs() as logs:
        assert await rig.kids() == {"k1"}
        rig.clock.now += 600
        await rig.kids()
        await rig.asked(2)
    (line,) = [one for one in logs if one["event"] == "keys passed over"]
    assert "bad" in line["keys"][0]


def test_a_file_without_keys_is_logged_once_and_keeps_everybody_out(tmp_path: Path) -> None:
    """Until it changes; one that was away and comes back as it was is believed again."""
    path = tmp_path / "jwks.json"
    path.write_bytes(OLD)
    keys = IssuerKeys(str(path), ALGORITHMS, Seconds())

    def attempt() -> set[str]:
        return {kid for kid, _ in asyncio.run(keys.current())}

    assert attempt() == {"k1"}
    away = path.rename(tmp_path / "away")
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(KeysAway):
                attempt()
    assert len(logs) == 1
    away.rename(path)
    assert attempt() == {"k1"}
    path.rename(tmp_path / "away")
    path.mkdir()
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(KeysAway):
                attempt()
    assert len(logs) == 1
    path.rmdir()
    path.write_bytes(b"{")
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(KeysAway):
                attempt()
    assert len(logs) == 1
    path.write_bytes(NEW)
    assert attempt() == {"k2"}


@contextlib.asynccontextmanager
async def dripping(head: bytes, drop: bytes) -> AsyncIterator[str]:
    """A real server that begins an answer and goes on with it a drop at a time, for ever."""

    ended = asyncio.Event()
    finished: list[asyncio.Future[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        finished.append(done)
        with contextlib.suppress(ConnectionError):
            writer.write(head)
            while not writer.is_closing() and not ended.is_set():
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        done.set_result(None)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    finally:
        ended.set()
        server.close()
        await asyncio.gather(*finished)


DRIPS = {
    "its status": (b"HTTP/1.1 ", b"2"),
    "its headers": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "its body": (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b" "),
    "notices": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("case", DRIPS)
async def test_an_issuer_that_drips_is_left_at_the_deadline(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each drop comes in time, and the whole never does."""
    monkeypatch.setattr("pep.callers.jwks.DEADLINE_SECONDS", 0.5)
    async with dripping(*DRIPS[case]) as url:
        keys = IssuerKeys(url, ALGORITHMS, Seconds())
        begun = time.monotonic()
        with pytest.raises(KeysAway):
            await keys.current()
        assert time.monotonic() - begun < 3


async def test_an_answer_that_is_packed_is_not_unpacked() -> None:
    """A megabyte on the wire may be a gigabyte in memory."""
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\n"
    async with dripping(head, b"123456789") as url:
        with pytest.raises(ValueError, match="packed"):
            await get(url, DEADLINE_SECONDS)
