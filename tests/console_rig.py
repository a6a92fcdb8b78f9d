"""The console before a real gateway, and what a browser sends to it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx

from pdp.api.v1 import types_pb2
from tests.commands import run_aside
from tests.gateway import Gateway, decisions, eventually, question
from tests.proxy_rig import free_port
from tipstaff.common.die_with_parent import bound_to_this_process

_numbers = iter(range(1, 1000))


class Site:
    """The gateway and the console before it."""

    def __init__(self, tipstaff: Gateway, port: int, person: str = "ana") -> None:
        self.tipstaff = tipstaff
        self.port = port
        self.person = person
        self.url = f"http://127.0.0.1:{port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the console alone."""
        self._process = await asyncio.create_subprocess_exec(
            *bound_to_this_process(
                [sys.executable, "-m", "tipstaff", "console", "serve", "--port", str(self.port),
                 "-c", str(self.tipstaff.config), "--as", self.person]
            ),
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await eventually(self._answers, 20)

    async def stop(self) -> None:
        """End the console alone."""
        assert self._process is not None
        self._process.terminate()
        await asyncio.wait_for(self._process.wait(), 10)

    async def _answers(self) -> bool:
        async with httpx.AsyncClient(verify=False) as client:
            try:
                return (await client.get(f"{self.url}/login")).status_code == 200
            except httpx.TransportError:
                return False

    async def hold(
        self, tool: str, arguments: bytes = b"", server: str = "bank", **more: Any
    ) -> types_pb2.Decision:
        """The decision about a call."""
        number = next(_numbers)
        request = question(
            server, tool, f"r{number}", arguments_json=arguments or b'{"n": %d}' % number, **more
        )
        async with decisions(self.tipstaff.address) as service:
            return (await service.Decide(request, timeout=5)).decision

    async def way_in(self, person: str = "ana") -> str:
        """The secret of a new login."""
        words = ("console", "login", "-c", str(self.tipstaff.config), "--as", person)
        return (await run_aside(*words)).stdout.strip().partition("#t=")[2]

    @contextlib.asynccontextmanager
    async def browser(self, person: str = "ana") -> AsyncIterator[Browser]:
        async with httpx.AsyncClient(base_url=self.url, timeout=10, verify=False) as client:
            browser = Browser(client)
            answer = await browser.post("/login", secret=await self.way_in(person))
            assert answer.status_code == 303
            yield browser


class Browser:
    """What a browser sends for a page of the console."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def post(
        self, path: str, *, fetch_site: str = "same-origin", **fields: str
    ) -> httpx.Response:
        return await self.client.post(path, data=fields, headers={"Sec-Fetch-Site": fetch_site})

    async def form(self, approval_id: str) -> dict[str, str]:
        """The hidden fields of the forms on the approval's page."""
        page = (await self.get(f"/a/{approval_id}")).text
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


@contextlib.asynccontextmanager
async def console_before(gateway: Gateway, person: str = "ana") -> AsyncIterator[Site]:
    """Start both, and end both."""
    await gateway.start()
    site = Site(gateway, free_port(), person)
    try:
        await site.start()
        yield site
    finally:
        await site.stop()
        await gateway.stop()
