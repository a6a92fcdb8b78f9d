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
from tests.proxy_rig import ScriptedService, grpc_service
from tipstaff.common.lifelong import EndedError

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


async def test_a_listener_that_ends_by_itself_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches it starts it again."""

    async def ends(self: object, sockets: object = None) -> None:
        """A listener that has failed."""

    monkeypatch.setattr(wiring._Server, "serve", ends)
    async with grpc_service(ScriptedService(), address := f"unix:{tmp_path / 'pdp.sock'}"):
        with pytest.raises(EndedError, match="listener"):
            await serve(config(a_port()), pdp_address=address, stop=asyncio.Event())


def test_ids_are_not_to_be_guessed() -> None:
    """They name decisions, which can be given back by them."""
    ids = {wiring._new_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {32}
