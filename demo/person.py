"""A person at a terminal, who answers for calls that a rule holds: the command line's own user."""

from __future__ import annotations

import asyncio
import json
import sys

from demo.parts import Stage


async def answers(stage: Stage, verb: str, note: str) -> str:
    """`grant` or `refuse` the call that waits, as soon as one does; what the person was shown of it."""
    watching = await _start(stage, "list", "--watch", "--state", "pending", "--json")
    assert watching.stdout is not None
    try:
        call = json.loads(await watching.stdout.readline())
    finally:
        watching.terminate()
        await watching.wait()
    answering = await _start(stage, verb, call["id"], "--yes", "--note", note)
    output, _ = await answering.communicate()
    if answering.returncode:
        raise RuntimeError(f"tipstaff approvals {verb} ended with {answering.returncode}")
    return output.decode()


async def _start(stage: Stage, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tipstaff", "approvals", *words, "--config", str(stage.config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
