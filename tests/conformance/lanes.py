"""The ways to the fixture: directly, and through a gateway that allows everything."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.conformance.suite import ROOT
from tests.gateway import gateway
from tests.proxy_rig import free_port
from tests.warm import warm
from tipstaff.common.die_with_parent import bound_to_this_process

FIXTURE = [sys.executable, "-m", "tests.conformance.fixture"]
# Nothing is refused, and nothing runs out.
ALLOW_ALL = {"default": "allow", "initialize": {"max": 10_000, "window": 60}}


@contextlib.asynccontextmanager
async def fixture() -> AsyncIterator[str]:
    """The fixture over HTTP, as a process of its own; its URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *bound_to_this_process([*FIXTURE, str(port)]), cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listening(port)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def lanes() -> AsyncIterator[dict[str, str]]:
    """The name and the URL of every way; the first is the direct one."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lanes"))
        direct = await stack.enter_async_context(fixture())
        # What over HTTP the fixture does itself, to let its client come back, is asked for here.
        stdio = {"command": warm().command("tests.conformance.fixture"), "poll_ms": 100}
        servers = {"over_http": direct, "over_stdio": stdio}
        one = await stack.enter_async_context(
            gateway(Path(folder), servers, dict.fromkeys(servers, ALLOW_ALL))
        )
        yield {"directly": direct} | {name: one.url(name) for name in servers}


async def _listening(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the fixture does not listen")
