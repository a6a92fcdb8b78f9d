"""A real browser, step by step: Debian's chromium, led by playwright-core."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from typing import Any

from tests.interop.matrix import HERE, NODE
from tipstaff.common.die_with_parent import bound_to_this_process

_SCRIPT = HERE.parent / "node" / "browser.mjs"
_MOST_BYTES = 4 * 1024 * 1024


class Browser:
    """The browser's process; each step is a line to it and a line from it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.ensure_future(self._read())

    async def tab(self, person: str) -> Tab:
        """A new tab of a person, who shares cookies with their other tabs."""
        name = f"tab{next(self._numbers)}"
        await self.step(name, "open", person=person)
        return Tab(self, name)

    async def step(self, tab: str, step: str, **more: Any) -> Any:
        """Do one step in a tab, and return its result; raises `AssertionError` for one that fails."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        line = json.dumps({"number": number, "tab": tab, "step": step, **more})
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        return await asyncio.wait_for(answer, 60)

    async def end(self) -> None:
        """Close it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 20)
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            answer = self._answers.pop(said["number"])
            if answer.done():
                continue
            if "error" in said:
                answer.set_exception(AssertionError(said["error"]))
            else:
                answer.set_result(said["value"])
        for answer in self._answers.values():
            answer.set_exception(AssertionError("the browser has ended"))


class Tab:
    """One tab: `await tab("click", at="button.grant")` is a step of `tests/node/browser.mjs`."""

    def __init__(self, browser: Browser, name: str) -> None:
        self._browser = browser
        self._name = name

    async def __call__(self, step: str, **more: Any) -> Any:
        return await self._browser.step(self._name, step, **more)


def chromium() -> str:
    """The browser's program: the one without windows takes half the time."""
    return shutil.which("chromium-headless-shell") or "/usr/bin/chromium"


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start one, and close it."""
    script = NODE / _SCRIPT.name
    shutil.copyfile(_SCRIPT, script)
    process = await asyncio.create_subprocess_exec(
        *bound_to_this_process([str(NODE / "bin" / "node"), str(script), chromium()]),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_MOST_BYTES,
    )  # fmt: skip
    started = Browser(process)
    try:
        yield started
    finally:
        await started.end()
