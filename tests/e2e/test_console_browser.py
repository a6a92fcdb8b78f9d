"""A person at the console in a real browser: sees a call within a second, grants one, refuses another."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import call_headers, gateway, tool_call
from tests.interop.matrix import HERE, NODE
from tests.mcp_servers import Counting
from tests.proxy_rig import asgi_upstream, free_port
from tipstaff.common.die_with_parent import bound_to_this_process

RULES = {"tools": {"drop": {"action": "require_approval", "reason": "Ask first."}}}
ATTACK = {"path": "<img src=x onerror=alert(1)>", "name": "a\u202eb"}
SCRIPT = HERE.parent / "node" / "console_browser.mjs"


async def told(process: asyncio.subprocess.Process, word: str) -> dict[str, Any]:
    """The next line of the browser, which must be this one."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line, (await process.stderr.read()).decode()[-2000:]
    said: dict[str, Any] = json.loads(line)
    assert said["word"] == word
    return said


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[tuple[Any, Counting, str]]:
    """The gateway, its server, and an address that logs in to the console before it."""
    upstream, port = Counting(), free_port()
    async with asgi_upstream(upstream) as url, gateway(tmp_path, {"s": url}, {"s": RULES}) as gate:
        process = await asyncio.create_subprocess_exec(
            *bound_to_this_process(
                [sys.executable, "-u", "-m", "tipstaff", "console", "serve", "--port", str(port),
                 "-c", str(gate.config), "--as", "ana"]
            ),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        line = b""
        while b"#t=" not in line:
            line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield gate, upstream, line.decode().split()[-1]
        process.terminate()
        await process.communicate()


@pytest.mark.timeout(180)
async def test_a_person_answers_in_a_browser(console: tuple[Any, Counting, str]) -> None:
    """With mouse and keyboard, in light and dark, wide and narrow; nothing of a caller is markup."""
    gate, upstream, login = console
    script = NODE / SCRIPT.name
    shutil.copyfile(SCRIPT, script)
    browser = await asyncio.create_subprocess_exec(
        str(NODE / "bin" / "node"), str(script), login,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with httpx.AsyncClient(timeout=60, verify=False) as client:

        def call(number: int) -> asyncio.Future[httpx.Response]:
            message = tool_call("drop", {**ATTACK, "number": number}, request_id=number)
            return asyncio.ensure_future(
                client.post(gate.url("s"), json=message, headers=call_headers("drop"))
            )

        logged_in = await told(browser, "logged in")
        assert "#" not in logged_in["address"]
        await asyncio.sleep(0.5)
        began, waiting = time.monotonic(), call(1)
        await told(browser, "seen")
        assert time.monotonic() - began < 2
        granted = await told(browser, "granted")
        assert granted["atOnce"] is True
        assert granted["focused"] == "BODY"
        assert "<img src=x" in granted["text"]
        assert "⟨U+202E⟩" in granted["text"]
        answer = await asyncio.wait_for(waiting, 10)
        assert '"text": "done"' in answer.text
        assert upstream.names() == ["drop"]
        refusing = call(2)
        await told(browser, "writing")
        others = [call(number) for number in (3, 4)]
        assert (await told(browser, "refused"))["kept"] == "Not today."
        assert "Not today." in (await asyncio.wait_for(refusing, 10)).text
        done = await told(browser, "done")
        for other in others:
            other.cancel()
        await asyncio.wait(others)
    await browser.communicate()
    assert done["findings"] == []
    assert done["complaints"] == []
    assert upstream.names() == ["drop"]
