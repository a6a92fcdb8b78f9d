"""The whole proxy in this loop: it starts, takes over a changed configuration, and ends with all that it made."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
from msgspec import structs

from pep import wiring
from pep.config import PepConfig, Server
from pep.errors import StartError
from pep.wiring import serve
from pep.workers.position import Position
from tests.proxy_rig import ScriptedService, grpc_service

NOBODY = "http://127.0.0.1:9/mcp"


def config(port: int) -> PepConfig:
    return PepConfig(
        listen=f"127.0.0.1:{port}", servers=(Server("s", url=NOBODY),), shutdown_grace_ms=1000
    )


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_an_address_in_use_is_an_error_that_says_what_to_do() -> None:
    """Before anything else is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=r"in use.*\[pep\] listen"):
            await serve(config(port), pdp_address="unix:/nowhere", stop=asyncio.Event())


async def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """And takes over what may change meanwhile."""
    stop, ready, offered = asyncio.Event(), asyncio.Event(), []
    port, address = a_port(), f"unix:{tmp_path / 'pdp.sock'}"
    async with grpc_service(ScriptedService(), address), httpx.AsyncClient() as client:
        serving = asyncio.ensure_future(
            serve(
                config(port),
                pdp_address=address,
                stop=stop,
                ready=ready.set,
                offer=offered.append,
            )
        )
        await asyncio.wait_for(ready.wait(), 10)
        url = f"http://127.0.0.1:{port}"
        assert (await client.get(f"{url}/healthz")).status_code == 200
        assert (await client.get(f"{url}/t/mcp")).status_code == 404
        (take_over,) = offered
        changed = (Server("t", url=NOBODY),)
        take_over(structs.replace(config(port), servers=changed))
        assert (await client.get(f"{url}/t/mcp")).status_code == 502
        assert (await client.get(f"{url}/s/mcp")).status_code == 404
        stop.set()
        await asyncio.wait_for(serving, 10)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_without_a_decision_service_it_starts_and_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call is refused until there is one."""
    monkeypatch.setattr(wiring, "_PATIENCE_SECONDS", 0.01)
    stop, ready, port = asyncio.Event(), asyncio.Event(), a_port()
    address = f"unix:{tmp_path / 'pdp.sock'}"
    serving = asyncio.ensure_future(
        serve(config(port), pdp_address=address, stop=stop, ready=ready.set)
    )
    await asyncio.wait_for(ready.wait(), 10)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 503
    stop.set()
    await asyncio.wait_for(serving, 10)


async def test_two_workers_serve_one_port_and_what_one_must_keep_is_served_by_it(
    tmp_path: Path,
) -> None:
    """Here in one loop: a session that is nobody's reaches the upstream from whichever worker it has."""
    stop, port, address = asyncio.Event(), a_port(), f"unix:{tmp_path / 'pdp.sock'}"
    readies = [asyncio.Event() for _ in range(2)]
    async with grpc_service(ScriptedService(), address):
        serving = [
            asyncio.ensure_future(
                serve(
                    config(port),
                    pdp_address=address,
                    stop=stop,
                    ready=ready.set,
                    position=Position(number, 2, tmp_path, "k"),
                )
            )
            for number, ready in enumerate(readies)
        ]
        for ready in readies:
            await asyncio.wait_for(ready.wait(), 10)
        assert {path.name for path in tmp_path.glob("worker-*")} == {"worker-0.sock", "worker-1.sock"}  # fmt: skip
        # The upstream is not there: whoever is to serve the session says so.
        lines = {"MCP-Protocol-Version": "2025-11-25", "Accept": "text/event-stream"}
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits) as client:
            for number in range(16):
                session = {**lines, "Mcp-Session-Id": f"{number // 2}"}
                answer = await client.get(f"http://127.0.0.1:{port}/s/mcp", headers=session)
                assert (answer.status_code, "cannot be reached" in answer.text) == (502, True)
        stop.set()
        await asyncio.wait_for(asyncio.gather(*serving), 10)


def test_what_one_worker_has_sealed_the_others_can_open() -> None:
    """A configured key is for more than these; without any a proxy has its own."""
    first, second = (wiring._rounds_key(config(1), Position(n, 2, Path(), "k")) for n in range(2))
    assert first == second
    assert wiring._rounds_key(config(1), Position(0, 2, Path(), "other")) != first
    assert wiring._rounds_key(config(1), None) != wiring._rounds_key(config(1), None)
    keyed = structs.replace(config(1), rounds_key="c")
    assert wiring._rounds_key(keyed, Position(0, 2, Path(), "k")) == wiring._rounds_key(keyed, None)


def test_ids_are_not_to_be_guessed() -> None:
    """They name decisions, which can be given back by them."""
    ids = {wiring._new_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {32}
