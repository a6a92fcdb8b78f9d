"""Applications on sockets: served until the end, which one that ends by itself is as well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pep.config import PepConfig, Tls
from pep.config import Server as ServedBy
from pep.serving import Server, run
from tipstaff.common.lifelong import EndedError

SETTINGS = PepConfig(shutdown_grace_ms=1000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with where it was asked."""
    port = scope["server"][1]
    lines = [(b"content-length", b"%d" % len(str(port)))]
    await send({"type": "http.response.start", "status": 200, "headers": lines})
    await send({"type": "http.response.body", "body": str(port).encode()})


@contextlib.contextmanager
def listening(count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]


async def test_all_are_served_until_the_end_and_say_when_they_are_ready() -> None:
    """After it nobody listens."""
    stop, ready = asyncio.Event(), asyncio.Event()
    with listening(2) as (one, other):
        ports = [each.getsockname()[1] for each in (one, other)]
        servers = [
            Server(app, SETTINGS, one, Tls()),
            Server(app, SETTINGS, other, Tls(), ready.set),
        ]
        serving = asyncio.ensure_future(run(servers, stop))
        await asyncio.wait_for(ready.wait(), 10)
        async with httpx.AsyncClient() as client:
            for port in ports:
                assert (await client.get(f"http://127.0.0.1:{port}/")).text == str(port)
        stop.set()
        await asyncio.wait_for(serving, 10)
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_one_that_ends_by_itself_ends_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches the process starts it again."""

    async def ends(self: Server, sockets: object = None) -> None:
        """One fails, the other serves on until it is told."""
        while self.listener is other and not self.should_exit:
            await asyncio.sleep(0.01)

    monkeypatch.setattr(Server, "serve", ends)
    with listening(2) as (one, other):
        servers = [Server(app, SETTINGS, one, Tls()), Server(app, SETTINGS, other, Tls())]
        with pytest.raises(EndedError, match="listener"):
            await asyncio.wait_for(run(servers, asyncio.Event()), 10)
        assert servers[1].should_exit


def test_tls_files_that_cannot_be_used_are_an_error() -> None:
    """Before anything is served."""
    tls = Tls(certificate="/nowhere", key="/nowhere")
    with listening(1) as (one,), pytest.raises(OSError, match=r"nowhere|No such file"):
        Server(app, SETTINGS, one, tls)


def test_a_socket_for_this_machine_needs_no_tls() -> None:
    """Also where callers prove who they are by certificates."""
    mutual = Tls(certificate="/nowhere", key="/nowhere", client_ca="/nowhere")
    served = ServedBy("s", url="http://127.0.0.1:9/mcp", accept=("mtls",))
    settings = PepConfig(servers=(served,), tls=mutual)
    with listening(1) as (one,):
        assert Server(app, settings, one, Tls()).config.ssl is None
