"""`tipstaff up` serves the console where the configuration says so, and judges calls where it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from tests.commands import run_aside
from tests.gateway import Gateway, eventually
from tests.ports import free_port


async def answers(port: int) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/login")).status_code == 200
        except httpx.TransportError:
            return False


def site(folder: Path, port: int) -> Gateway:
    gateway = Gateway(folder, {"s": "http://127.0.0.1:9/mcp"}, f"[console]\nport = {port}\n")
    gateway.rules("s", {"default": "allow"})
    return gateway


@pytest.mark.timeout(90)
async def test_the_console_comes_with_up_and_comes_back(tmp_path: Path) -> None:
    """`login` needs no port then; a console that dies takes nothing with it, and all end together."""
    port = free_port()
    gateway = site(tmp_path, port)
    await gateway.start()
    try:
        assert await answers(port)
        assert any(f"http://127.0.0.1:{port}/" in line for line in gateway.log)
        done = await run_aside("console", "login", "-c", str(gateway.config))
        assert done.stdout.startswith(f"http://127.0.0.1:{port}/login#t=")
        done = await run_aside("status", "-c", str(gateway.config))
        assert f"console           ready           http://127.0.0.1:{port}/" in done.stdout
        gateway.kill("console serve")
        await eventually(lambda: answers(port), 20)
        assert await gateway.revision()
    finally:
        assert await gateway.stop() == 0
    assert not await answers(port)


@pytest.mark.timeout(90)
async def test_a_taken_port_keeps_nothing_but_the_console_away(tmp_path: Path) -> None:
    """The log says what to do, and the console comes when the port is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        gateway = site(tmp_path, port)
        await gateway.start()
        assert await gateway.revision()
        assert any("cannot listen" in line and "port" in line for line in gateway.log)
    try:
        await eventually(lambda: answers(port), 30)
    finally:
        await gateway.stop()
