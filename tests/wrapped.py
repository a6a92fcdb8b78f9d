"""A client's side of `tipstaff wrap`: starts it, speaks lines, and reads the answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tipstaff.common.die_with_parent import bound_to_this_process

# Answers every request, and says which tool it was asked for.
SERVER = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        done = message.get("params", {}).get("name", "")
        result = {"content": [{"type": "text", "text": "done " + done}]}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


class Wrapped:
    """One wrapper, with a server of its own behind it."""

    def __init__(self, config: Path, name: str = "s") -> None:
        self._command = [
            sys.executable, "-m", "tipstaff", "wrap", "-c", str(config), name, "--",
            sys.executable, "-c", SERVER,
        ]  # fmt: skip
        self._numbers = itertools.count(1)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *bound_to_this_process(self._command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NO_COLOR": "1"},
        )

    async def call(self, tool: str = "read", seconds: float = 40) -> str:
        """`allowed`, or the code of the refusal."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        params = {"name": tool, "arguments": {}}
        number = next(self._numbers)
        call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        self.process.stdin.write(json.dumps(call).encode() + b"\n")
        await self.process.stdin.drain()
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), seconds)
            if not line:
                raise EOFError((await self.process.communicate())[1].decode())
            answer = json.loads(line)
            if answer.get("id") == number:
                return _code(answer)

    async def close(self) -> None:
        """End its input, as a client that leaves does."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), 20)

    async def refusal(self) -> tuple[int, str]:
        """How it ended by itself: exit code, and what it said."""
        assert self.process is not None
        _, said = await asyncio.wait_for(self.process.communicate(), 40)
        assert self.process.returncode is not None
        return self.process.returncode, said.decode()


@contextlib.asynccontextmanager
async def wrapped(config: Path, name: str = "s") -> AsyncIterator[Wrapped]:
    """A wrapper that is started, and ended whatever happens."""
    wrapper = Wrapped(config, name)
    await wrapper.start()
    try:
        yield wrapper
    finally:
        assert wrapper.process is not None
        if wrapper.process.returncode is None:
            wrapper.process.kill()
            await wrapper.process.communicate()


def _code(answer: dict[str, Any]) -> str:
    if "error" in answer:
        data = answer["error"].get("data") or {}
        return str(data.get("reason_code", answer["error"]["code"]))
    decision = answer["result"].get("_meta", {}).get("tipstaff/decision")
    return str(decision["code"]) if decision else "allowed"
