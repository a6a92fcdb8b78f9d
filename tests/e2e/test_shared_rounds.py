"""Two proxies before one decision service: a client may go on with its held call at either, if they share a key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import Gateway, call_headers, eventually, tool_call
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream, free_port
from tipstaff.common.die_with_parent import bound_to_this_process

RULES = {"tools": {"drop": {"action": "require_approval"}}}
KEY = 'rounds_key = "env:ROUNDS"'


@contextlib.asynccontextmanager
async def another_proxy(gate: Gateway, key: str) -> AsyncIterator[str]:
    """A proxy of its own before the gateway's decision service; gives the server's address there."""
    port = free_port()
    text = gate.config.read_text().replace(f"127.0.0.1:{gate.port}", f"127.0.0.1:{port}")
    config = gate.folder / "another.toml"
    config.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *bound_to_this_process([sys.executable, "-m", "tipstaff", "pep", "-c", str(config)]),
        env={**os.environ, "ROUNDS": key}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def is_ready() -> bool:
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
            except httpx.TransportError:
                return False

    try:
        await eventually(is_ready, 20)
        yield f"http://127.0.0.1:{port}/s/mcp"
    finally:
        process.terminate()
        await process.wait()


async def call(client: httpx.AsyncClient, url: str, state: str = "") -> Any:
    """The answer to the held call, made with a state or without."""
    message = tool_call("drop", {"number": 7})
    if state:
        message["params"]["requestState"] = state
    answer = await client.post(url, json=message, headers=call_headers("drop"))
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    return json.loads([line for line in lines if line.startswith("{")][-1])


@pytest.mark.parametrize(("key", "is_known"), [("k" * 40, True), ("x" * 40, False)])
async def test_a_state_is_known_to_a_proxy_with_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, is_known: bool
) -> None:
    """And the call is held there as the same; to another proxy it was not given for this call."""
    monkeypatch.setenv("ROUNDS", "k" * 40)
    async with asgi_upstream(Counting()) as url, httpx.AsyncClient(timeout=20) as client:
        servers = {"s": {"url": url, "hold_seconds": 1, "approval_rounds": 2}}
        gate = Gateway(tmp_path, servers, pep=KEY)
        gate.rules("s", RULES)
        await gate.start()
        try:
            first = await call(client, gate.url("s"))
            state = first["result"]["requestState"]
            async with another_proxy(gate, key) as other:
                second = await call(client, other, state)
        finally:
            await gate.stop()
    assert ("result" in second) is is_known
    if is_known:
        assert second["result"]["resultType"] == "input_required"
        names = {record["approval_id"] for record in gate.approval_records()}
        assert len(names) == 1
    else:
        assert second["error"]["code"] == -32602
