"""The ways to the fixture: directly, and through a gateway that allows everything."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from tests.conformance.suite import ROOT
from tests.gateway import gateway
from tests.proxy_rig import free_port
from tipstaff.common.die_with_parent import bound_to_this_process

FIXTURE = [sys.executable, "-m", "tests.conformance.fixture"]
WARM = [sys.executable, "-m", "tests.conformance.warm"]
LAUNCH = [sys.executable, "-I", "-S", str(ROOT / "tests" / "conformance" / "launch.py")]
# Nothing is refused, and nothing runs out.
ALLOW_ALL = {"default": "allow", "initialize": {"max": 10_000, "window": 60}}


@contextlib.asynccontextmanager
async def fixture() -> AsyncIterator[str]:
    """The fixture over HTTP, as a process of its own; its URL."""
    port = free_port()
    async with _running(*FIXTURE, str(port)):
        await _connected(lambda: asyncio.open_connection("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.asynccontextmanager
async def stdio_fixture(folder: Path) -> AsyncIterator[list[str]]:
    """The command that runs a fixture over stdio."""
    path = str(folder / "warm.sock")
    async with _running(*WARM, path):
        await _connected(lambda: asyncio.open_unix_connection(path))
        yield [*LAUNCH, path]


@contextlib.asynccontextmanager
async def _running(*command: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *bound_to_this_process(list(command)), cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def lanes() -> AsyncIterator[dict[str, str]]:
    """The name and the URL of every way; the first is the direct one."""
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lanes"))
        direct = await stack.enter_async_context(fixture())
        command = await stack.enter_async_context(stdio_fixture(Path(folder)))
        # What over HTTP the fixture does itself, to let its client come back, is asked for here.
        stdio = {"command": command, "poll_ms": 100}
        servers = {"over_http": direct, "over_stdio": stdio}
        one = await stack.enter_async_context(
            gateway(Path(folder), servers, dict.fromkeys(servers, ALLOW_ALL))
        )
        yield {"directly": direct} | {name: one.url(name) for name in servers}


async def _connected(
    connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError):
            _, writer = await connect()
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the fixture does not listen")
